#include "server/data_plane/usage_counters.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <unordered_map>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/unique_fd.h"

namespace noren::server {
namespace {

// The file: one header page, then segments of slots. Integers are in the machine's own order; the file stays
// on its machine.
constexpr std::array<char, 8> kMagic = {'N', 'O', 'R', 'E', 'N', 'U', 'S', 'E'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kSegmentBytes = limits::kMiB;
constexpr std::size_t kIdBytes = 32;
constexpr std::size_t kBootIdBytes = 40;

struct Header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t slot_bytes;
  std::array<char, kIdBytes> server_id;
  std::uint64_t check;                     ///< of what stands above
  std::array<char, kBootIdBytes> boot_id;  ///< of the machine's run in which the file was last open
  std::uint64_t closed_in_order;
};
static_assert(sizeof(Header) <= kHeaderBytes);

enum class SlotKind : std::uint64_t { kFree = 0, kDay = 1, kPermits = 2 };

/// A cache line. A slot is in use when its key is not 0; the key is written last.
struct Slot {
  std::uint64_t key;
  std::uint64_t values[7];
};
static_assert(sizeof(Slot) == 64 && kUsageClassesCount <= 7);

constexpr std::uint64_t key_of(SlotKind kind, std::uint32_t api_number, std::int32_t day) {
  return (static_cast<std::uint64_t>(kind) << 56) | (std::uint64_t{api_number} << 24) |
         (static_cast<std::uint64_t>(day) & 0xffffff);
}
SlotKind kind_of(std::uint64_t key) { return static_cast<SlotKind>(key >> 56); }
std::uint32_t number_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 24); }
std::int32_t day_of(std::uint64_t key) { return static_cast<std::int32_t>(key & 0xffffff); }

// Other processes see a store whole or not at all, and in this order: a process may be killed between any
// two.
void store(std::uint64_t& place, std::uint64_t value) {
  std::atomic_ref<std::uint64_t>(place).store(value, std::memory_order_release);
}

std::uint64_t check_of(const Header& header) {
  std::uint64_t sum = 0xcbf29ce484222325U;  // FNV-1a, 64 bits
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  for (std::size_t i = 0; i < offsetof(Header, check); ++i) sum = (sum ^ bytes[i]) * 0x100000001b3U;
  return sum;
}

std::array<char, kBootIdBytes> current_boot_id() {
  std::array<char, kBootIdBytes> id{};
  const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (file.valid()) static_cast<void>(!::read(file.get(), id.data(), id.size() - 4));
  return id;
}

}  // namespace

class UsageCounters::Impl {
 public:
  Impl(std::string file, Clock& clock) : file_(std::move(file)), clock_(clock) {}

  ~Impl() {
    if (header_ != nullptr) {
      store(header_->closed_in_order, 1);
      ::msync(header_, kHeaderBytes, MS_SYNC);
      ::munmap(header_, kHeaderBytes);
    }
    for (Slot* segment : segments_) ::munmap(segment, kSegmentBytes);
  }

  Status open() {
    ASSIGN_OR_RETURN(const Found found, open_file());
    if (found == Found::kDamaged) {
      log(LogLevel::kError, "usage.damaged", {{"file", file_}});
      if (::rename(file_.c_str(), (file_ + ".damaged").c_str()) != 0)
        return system_error(Code::kUnavailable, "can't put the damaged file '" + file_ + "' aside", "rename");
    }
    if (found != Found::kGood) TRY(make_file());
    TRY(map_file());
    recover();
    return Ok{};
  }

  void add(std::uint32_t number, UsageClass usage) {
    Slot& slot = slot_of_today(number);
    std::uint64_t& place = slot.values[static_cast<std::size_t>(usage)];
    store(place, place + 1);
    mark_changed(usage_of(number), slot);
  }

  std::int32_t begin_success(std::uint32_t number) {
    Slot& slot = slot_of_today(number);
    store(slot.values[0], slot.values[0] + 1);
    begun_.push_back(slot.key);
    return day_of(slot.key);
  }

  void keep_success(std::uint32_t number, std::int32_t utc_day) {
    mark_changed(usage_of(number), end_success(number, utc_day));
  }

  void drop_success(std::uint32_t number, std::int32_t utc_day) {
    Slot& slot = end_success(number, utc_day);
    store(slot.values[0], slot.values[0] - 1);
  }

  FreePermits free_permits(std::uint32_t number) const {
    const auto found = apis_.find(number);
    if (found == apis_.end() || found->second.permits == nullptr) return {};
    const std::uint64_t packed = found->second.permits->values[0];
    return {static_cast<std::uint32_t>(packed >> 32), static_cast<std::uint32_t>(packed)};
  }

  void set_free_permits(std::uint32_t number, FreePermits permits) {
    ApiUsage& api = usage_of(number);
    if (api.permits == nullptr) api.permits = take_slot(key_of(SlotKind::kPermits, number, 0));
    store(api.permits->values[0], (std::uint64_t{permits.in_hand_count} << 32) | permits.in_flight_count);
  }

  std::vector<UsageRow> all_rows() const {
    std::vector<UsageRow> rows;
    for (const auto& [key, slot] : days_) rows.push_back(row_of(*slot));
    return rows;
  }

  std::vector<UsageRow> take_changed_rows() {
    std::vector<UsageRow> rows;
    for (const Slot* slot : changed_) rows.push_back(row_of(*slot));
    changed_.clear();
    for (auto& [number, api] : apis_) api.changed = false;
    return rows;
  }

  void on_stored(const std::vector<UsageRow>& rows) {
    // Yesterday stays: a clock that is set back must find it.
    const std::int32_t today = utc_day(clock_.wall_us());
    bool some_are_over = today != last_sweep_day_;
    for (const UsageRow& row : rows) {
      stored_[key_of(SlotKind::kDay, row.api_number, row.utc_day)] = row;
      some_are_over |= row.utc_day < today - 1;
    }
    if (!some_are_over) return;
    last_sweep_day_ = today;
    std::erase_if(stored_, [&](const auto& entry) {
      return entry.second.utc_day < today - 1 && free_day(entry.second);
    });
  }

  const std::string& server_id() const { return server_id_; }
  const std::vector<InDoubt>& in_doubt() const { return in_doubt_; }

 private:
  enum class Found : std::uint8_t { kNothing, kGood, kDamaged };

  struct ApiUsage {
    Slot* today = nullptr;
    Slot* permits = nullptr;
    WallUs day_starts_us = 0;
    WallUs day_ends_us = 0;  ///< 0: no slot yet
    bool changed = false;    ///< today's slot is among the changed
  };

  Result<Found> open_file() {
    fd_ = UniqueFd(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd_.valid() && errno == ENOENT) return Found::kNothing;
    if (!fd_.valid()) return system_error(Code::kUnavailable, "can't open '" + file_ + "'", "open");
    Header header{};
    const ssize_t got = ::pread(fd_.get(), &header, sizeof header, 0);
    if (got < 0) return system_error(Code::kUnavailable, "can't read '" + file_ + "'", "pread");
    ASSIGN_OR_RETURN(const std::uint64_t size, size_of(fd_.get()));
    if (got != sizeof header || size < kHeaderBytes || header.magic != kMagic ||
        header.check != check_of(header))
      return Found::kDamaged;
    if (header.version != kVersion)
      return make_error(Code::kFailedPrecondition, "'" + file_ + "' was written by another version of noren");
    return header.slot_bytes == sizeof(Slot) ? Found::kGood : Found::kDamaged;
  }

  /// Whole under another name first: a crash leaves no half a file.
  Status make_file() {
    const std::string draft = file_ + ".new";
    fd_ = UniqueFd(::open(draft.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd_.valid()) return system_error(Code::kUnavailable, "can't make '" + file_ + "'", "open");
    Header header{};
    header.magic = kMagic;
    header.version = kVersion;
    header.slot_bytes = sizeof(Slot);
    std::memcpy(header.server_id.data(), random_hex(kIdBytes / 2).data(), kIdBytes);
    header.check = check_of(header);
    header.boot_id = current_boot_id();
    header.closed_in_order = 1;
    const int status = ::posix_fallocate(fd_.get(), 0, kHeaderBytes + kSegmentBytes);
    if (status != 0) {
      errno = status;
      return system_error(Code::kUnavailable, "can't make '" + file_ + "'", "posix_fallocate");
    }
    TRY(write_all(fd_.get(), {reinterpret_cast<const std::uint8_t*>(&header), sizeof header}));
    if (::fsync(fd_.get()) != 0 || ::rename(draft.c_str(), file_.c_str()) != 0)
      return system_error(Code::kUnavailable, "can't make '" + file_ + "'", "rename");
    return Ok{};
  }

  Status map_file() {
    void* const head = ::mmap(nullptr, kHeaderBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (head == MAP_FAILED) return system_error(Code::kUnavailable, "can't map '" + file_ + "'", "mmap");
    header_ = static_cast<Header*>(head);
    server_id_.assign(header_->server_id.data(), kIdBytes);
    ASSIGN_OR_RETURN(const std::uint64_t size, size_of(fd_.get()));
    const std::size_t count = (size - kHeaderBytes) / kSegmentBytes;
    for (std::size_t i = 0; i < count; ++i) TRY(map_segment(i));
    return Ok{};
  }

  Status map_segment(std::size_t index) {
    const auto offset = static_cast<off_t>(kHeaderBytes + index * kSegmentBytes);
    void* const place = ::mmap(nullptr, kSegmentBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), offset);
    if (place == MAP_FAILED) return system_error(Code::kUnavailable, "can't map '" + file_ + "'", "mmap");
    segments_.push_back(static_cast<Slot*>(place));
    return Ok{};
  }

  void recover() {
    const auto boot_id = current_boot_id();
    const bool same_run = header_->boot_id == boot_id;
    const bool in_order = header_->closed_in_order == 1;
    for (Slot* segment : segments_)
      for (std::size_t i = kSegmentBytes / sizeof(Slot); i-- > 0;)
        recover_slot(segment[i], same_run || in_order);
    header_->boot_id = boot_id;
    store(header_->closed_in_order, 0);
    ::msync(header_, kHeaderBytes, MS_SYNC);
  }

  void recover_slot(Slot& slot, bool counts_are_fresh) {  // NOLINT: read once, above
    if (slot.key == 0) return free_.push_back(&slot);
    if (kind_of(slot.key) == SlotKind::kDay) {
      days_[slot.key] = &slot;
      changed_.push_back(&slot);  // nobody knows whether the store has seen it
      return;
    }
    const std::uint32_t number = number_of(slot.key);
    apis_[number].permits = &slot;
    FreePermits permits = free_permits(number);
    // After a power failure the file may be older than what was served: what was in hand may be used.
    const std::uint32_t doubtful_count =
        permits.in_flight_count + (counts_are_fresh ? 0 : permits.in_hand_count);
    if (doubtful_count == 0) return;
    in_doubt_.push_back({number, doubtful_count});
    permits.in_flight_count = 0;
    if (!counts_are_fresh) permits.in_hand_count = 0;
    set_free_permits(number, permits);
  }

  /// Gives the slot of a day that is over back, if the store has seen its last value.
  bool free_day(const UsageRow& stored) {
    const auto found = days_.find(key_of(SlotKind::kDay, stored.api_number, stored.utc_day));
    if (found == days_.end()) return true;
    Slot* const slot = found->second;
    if (std::memcmp(slot->values, stored.counts, sizeof stored.counts) != 0) return false;
    std::erase(changed_, slot);
    ApiUsage& api = usage_of(stored.api_number);
    if (api.today == slot) api = ApiUsage{nullptr, api.permits, 0, 0, false};
    store(slot->key, 0);
    days_.erase(found);
    free_.push_back(slot);
    return true;
  }

  Slot& slot_of_today(std::uint32_t number) {
    ApiUsage& api = usage_of(number);
    const WallUs now = clock_.wall_us();
    if (now >= api.day_ends_us || now < api.day_starts_us) turn_day(api, number, now);
    return *api.today;
  }

  void mark_changed(ApiUsage& api, Slot& slot) {
    const bool is_today = api.today == &slot;
    if (is_today && api.changed) return;
    if (!is_today && std::ranges::find(changed_, &slot) != changed_.end()) return;
    changed_.push_back(&slot);
    if (is_today) api.changed = true;
  }

  /// The slot of one that begin_success() counted: most end at once, so it is looked for from the back.
  Slot& end_success(std::uint32_t number, std::int32_t utc_day) {
    const std::uint64_t key = key_of(SlotKind::kDay, number, utc_day);
    const auto begun = std::find(begun_.rbegin(), begun_.rend(), key);
    CHECK(begun != begun_.rend());
    *begun = begun_.back();
    begun_.pop_back();
    return *days_.at(key);  // its counts are in no store yet, so it has kept its slot
  }

  ApiUsage& usage_of(std::uint32_t number) {
    if (number != last_number_ || last_ == nullptr) {
      last_ = &apis_[number];  // references into an unordered_map stay good
      last_number_ = number;
    }
    return *last_;
  }

  void turn_day(ApiUsage& api, std::uint32_t number, WallUs now) {
    constexpr WallUs kDayUs = 86'400'000'000;
    const std::int32_t day = utc_day(now);
    api.day_starts_us = day * kDayUs;
    api.day_ends_us = api.day_starts_us + kDayUs;
    api.changed = false;
    const std::uint64_t key = key_of(SlotKind::kDay, number, day);
    Slot*& slot = days_[key];
    if (slot == nullptr) slot = take_slot(key);
    api.today = slot;
  }

  Slot* take_slot(std::uint64_t key) {
    if (free_.empty()) grow();
    Slot* const slot = free_.back();
    free_.pop_back();
    std::memset(slot->values, 0, sizeof slot->values);
    store(slot->key, key);
    return slot;
  }

  void grow() {
    const std::size_t index = segments_.size();
    const auto offset = static_cast<off_t>(kHeaderBytes + index * kSegmentBytes);
    // The place on the disk is taken now: a store into a hole of a full disk would kill the process.
    if (::posix_fallocate(fd_.get(), offset, kSegmentBytes) != 0 || !map_segment(index).ok()) {
      log(LogLevel::kError, "usage.no_space", {{"file", file_}});
      void* const place =
          ::mmap(nullptr, kSegmentBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      CHECK(place != MAP_FAILED);
      segments_.push_back(static_cast<Slot*>(place));
    }
    Slot* const segment = segments_.back();
    for (std::size_t i = kSegmentBytes / sizeof(Slot); i-- > 0;) free_.push_back(&segment[i]);
  }

  UsageRow row_of(const Slot& slot) const {
    UsageRow row;
    row.api_number = number_of(slot.key);
    row.utc_day = day_of(slot.key);
    std::memcpy(row.counts, slot.values, sizeof row.counts);
    row.counts[0] -= static_cast<std::uint64_t>(std::ranges::count(begun_, slot.key));
    return row;
  }

  std::string file_;
  Clock& clock_;
  UniqueFd fd_;
  Header* header_ = nullptr;
  std::string server_id_;
  std::vector<Slot*> segments_;
  std::vector<Slot*> free_;
  std::unordered_map<std::uint64_t, Slot*> days_;
  std::unordered_map<std::uint64_t, UsageRow> stored_;  ///< what the store is known to have
  std::int32_t last_sweep_day_ = 0;
  std::unordered_map<std::uint32_t, ApiUsage> apis_;
  ApiUsage* last_ = nullptr;
  std::uint32_t last_number_ = 0;
  std::vector<Slot*> changed_;
  std::vector<std::uint64_t> begun_;  ///< keys of the days of successes that are neither kept nor dropped yet
  std::vector<InDoubt> in_doubt_;
};

UsageCounters::UsageCounters(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UsageCounters::~UsageCounters() = default;

Result<std::unique_ptr<UsageCounters>> UsageCounters::open(const std::string& file, Clock& clock) {
  auto impl = std::make_unique<Impl>(file, clock);
  TRY(impl->open());
  return std::unique_ptr<UsageCounters>(new UsageCounters(std::move(impl)));
}

const std::string& UsageCounters::server_id() const { return impl_->server_id(); }
void UsageCounters::add(std::uint32_t api_number, UsageClass usage) { impl_->add(api_number, usage); }
std::int32_t UsageCounters::begin_success(std::uint32_t api_number) {
  return impl_->begin_success(api_number);
}
void UsageCounters::keep_success(std::uint32_t api_number, std::int32_t utc_day) {
  impl_->keep_success(api_number, utc_day);
}
void UsageCounters::drop_success(std::uint32_t api_number, std::int32_t utc_day) {
  impl_->drop_success(api_number, utc_day);
}
UsageCounters::FreePermits UsageCounters::free_permits(std::uint32_t api_number) const {
  return impl_->free_permits(api_number);
}
void UsageCounters::set_free_permits(std::uint32_t api_number, FreePermits permits) {
  impl_->set_free_permits(api_number, permits);
}
const std::vector<UsageCounters::InDoubt>& UsageCounters::in_doubt() const { return impl_->in_doubt(); }
std::vector<UsageRow> UsageCounters::all_rows() const { return impl_->all_rows(); }
std::vector<UsageRow> UsageCounters::take_changed_rows() { return impl_->take_changed_rows(); }
void UsageCounters::on_stored(const std::vector<UsageRow>& rows) { impl_->on_stored(rows); }

}  // namespace noren::server
