#include "worker/model_file/nnp/parameter_h5.h"

#include <hdf5.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

constexpr std::size_t kDepthCount = 32;
/// What deflate can reach at best; the other filters that are allowed don't shrink.
constexpr std::uint64_t kDeflateRatio = 1'040;
/// Of one dataset. HDF5 keeps some kilobytes for each chunk while it reads.
constexpr std::uint64_t kChunksCount = std::uint64_t{1} << 16;
constexpr std::uint64_t kChecksumBytes = 4;

/// Owner of an HDF5 handle.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  bool valid() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Lets the core driver work on the caller's bytes: it asks for memory and gets them, asks for a copy and
/// there is nothing to do, gives them back and nothing happens. Opened for reading, it never writes to them.
struct Image {
  void* data;
  std::size_t size_bytes;

  static void* take(std::size_t size_bytes, H5FD_file_image_op_t, void* image) {
    const auto* self = static_cast<Image*>(image);
    return size_bytes == self->size_bytes ? self->data : nullptr;
  }
  static void* copy(void* target, const void* source, std::size_t, H5FD_file_image_op_t, void*) {
    return target == source ? target : nullptr;
  }
  static void* grow(void*, std::size_t, H5FD_file_image_op_t, void*) { return nullptr; }
  static herr_t give_back(void*, H5FD_file_image_op_t, void*) { return 0; }
  static void* share(void* image) { return image; }
  static herr_t unshare(void*) { return 0; }
};

struct Link {
  std::string name;
  bool is_hard;
};

struct LinkList {
  std::vector<Link> links;
  std::size_t bytes = 0;
};

herr_t collect_link(hid_t, const char* name, const H5L_info_t* information, void* list) {
  auto& target = *static_cast<LinkList*>(list);
  target.bytes += std::strlen(name);
  if (target.links.size() >= limits::kVariablesCount || target.bytes > limits::kNetworkTextBytes) return -1;
  target.links.push_back({name, information->type == H5L_TYPE_HARD});
  return 0;
}

/// How large a zlib stream becomes; nothing where it is damaged, cut off, or larger than `limit_bytes`. What
/// it becomes is not kept.
std::optional<std::uint64_t> inflated_size(ByteView packed, std::uint64_t limit_bytes) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return std::nullopt;
  std::array<Bytef, std::size_t{1} << 15> scratch;
  stream.next_in = const_cast<Bytef*>(packed.data());  // the library's interface has no const
  std::uint64_t left_bytes = packed.size(), size_bytes = 0;
  int status = Z_OK;
  while (status == Z_OK && size_bytes <= limit_bytes) {
    if (stream.avail_in == 0) {
      stream.avail_in = static_cast<uInt>(std::min<std::uint64_t>(left_bytes, limits::kMiB));
      left_bytes -= stream.avail_in;
    }
    stream.next_out = scratch.data();
    stream.avail_out = static_cast<uInt>(scratch.size());
    status = inflate(&stream, Z_NO_FLUSH);
    size_bytes += scratch.size() - stream.avail_out;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && size_bytes <= limit_bytes ? std::optional(size_bytes) : std::nullopt;
}

class Reader {
 public:
  Reader(const std::string& member, std::size_t image_bytes, ParameterTable& table)
      : label_("the parameter file " + quoted_name(member)), image_bytes_(image_bytes), table_(table) {}

  Status read_group(hid_t group, const std::string& prefix, std::size_t depth) {
    if (depth > kDepthCount)
      return refuse("has groups nested more than " + std::to_string(kDepthCount) + " deep");
    LinkList list;
    hsize_t position = 0;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, collect_link, &list) < 0) return damaged();
    for (const Link& link : list.links) {
      const std::string name = prefix.empty() ? link.name : prefix + "/" + link.name;
      if (++objects_count_ > limits::kVariablesCount) return refuse("has too many objects");
      if (name.size() > limits::kNameBytes) return refuse("has a name that is too long");
      if (!link.is_hard) return refuse("has a link to another place: " + quoted_name(name));
      const Handle object(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), H5Oclose);
      if (!object.valid()) return damaged();
      const H5I_type_t type = H5Iget_type(object.get());
      if (type == H5I_GROUP) {
        TRY(enter_group(object.get(), name, depth));
      } else if (type == H5I_DATASET) {
        TRY(read_dataset(object.get(), name));
      }
    }
    return Ok{};
  }

 private:
  Error refusal(const std::string& why) const { return invalid(label_ + " " + why); }
  Status refuse(const std::string& why) const { return refusal(why); }
  Status damaged() const { return make_error(Code::kCorrupt, label_ + " is damaged or cut off"); }

  Status enter_group(hid_t group, const std::string& name, std::size_t depth) {
    H5O_info_t information;
    if (H5Oget_info2(group, &information, H5O_INFO_BASIC) < 0) return damaged();
    if (!groups_.insert(information.addr).second)
      return refuse("has group " + quoted_name(name) + " in two places");
    return read_group(group, name, depth + 1);
  }

  Status read_dataset(hid_t dataset, const std::string& name) {
    const std::string owner = "parameter " + quoted_name(name);
    ASSIGN_OR_RETURN(const std::size_t value_bytes, value_size(dataset, owner));
    ASSIGN_OR_RETURN(Shape shape, shape_of(dataset, owner));
    ASSIGN_OR_RETURN(const std::int64_t count, ParameterTable::count_of(shape, owner));
    ASSIGN_OR_RETURN(const Storage storage,
                     storage_of(dataset, owner, static_cast<std::uint64_t>(count) * value_bytes));
    if (!table_.wants(name)) return table_.add(name, std::move(shape), nullptr);
    if (storage.is_chunked) TRY(check_chunks(dataset, storage, owner, shape, value_bytes));
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(count));
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values->data()) < 0)
      return damaged();
    return table_.add(name, std::move(shape), std::move(values));
  }

  Result<std::size_t> value_size(hid_t dataset, const std::string& owner) const {
    const Handle type(H5Dget_type(dataset), H5Tclose);
    if (!type.valid()) return damaged_error();
    const H5T_class_t kind = H5Tget_class(type.get());
    const std::size_t size = H5Tget_size(type.get());
    if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || size < 1 || size > 8) {
      return invalid(label_ + ": " + owner + " does not hold numbers");
    }
    return size;
  }

  Result<Shape> shape_of(hid_t dataset, const std::string& owner) const {
    const Handle space(H5Dget_space(dataset), H5Sclose);
    if (!space.valid()) return damaged_error();
    const H5S_class_t kind = H5Sget_simple_extent_type(space.get());
    if (kind == H5S_SCALAR) return Shape{};
    const int rank = H5Sget_simple_extent_ndims(space.get());
    if (kind != H5S_SIMPLE || rank < 0 || rank > static_cast<int>(limits::kRankCount)) {
      return invalid(label_ + ": " + owner + " has no plain shape");
    }
    std::vector<hsize_t> dimensions(static_cast<std::size_t>(rank));
    if (H5Sget_simple_extent_dims(space.get(), dimensions.data(), nullptr) != rank) return damaged_error();
    Shape shape;
    for (const hsize_t dimension : dimensions) {
      if (dimension > static_cast<hsize_t>(limits::kTensorElementsCount)) {
        return make_error(Code::kTooLarge, owner + " has too many numbers");
      }
      shape.push_back(static_cast<std::int64_t>(dimension));
    }
    return shape;
  }

  struct Storage {
    bool is_chunked = false;
    std::vector<hsize_t> chunk;         ///< lengths
    std::vector<H5Z_filter_t> filters;  ///< in the order in which they were applied
  };

  /// The values must lie in the image: no external file, no other dataset, no unknown filter, no empty
  /// promise.
  Result<Storage> storage_of(hid_t dataset, const std::string& owner, std::uint64_t values_bytes) const {
    const Handle creation(H5Dget_create_plist(dataset), H5Pclose);
    if (!creation.valid()) return damaged_error();
    const H5D_layout_t layout = H5Pget_layout(creation.get());
    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT)
      return refusal("stores " + owner + " in an unusual way");
    if (H5Pget_external_count(creation.get()) != 0) return refusal("stores " + owner + " in another file");
    Storage storage{.is_chunked = layout == H5D_CHUNKED};
    ASSIGN_OR_RETURN(storage.filters, filters_of(creation.get(), owner));
    const bool deflated = std::count(storage.filters.begin(), storage.filters.end(), H5Z_FILTER_DEFLATE) > 0;
    const std::uint64_t stored_bytes = H5Dget_storage_size(dataset);
    const std::uint64_t possible_bytes = deflated ? stored_bytes * kDeflateRatio : stored_bytes;
    if (stored_bytes > image_bytes_ || possible_bytes < values_bytes)
      return make_error(Code::kCorrupt, label_ + " does not hold all values of " + owner);
    if (!storage.is_chunked) return storage;
    unsigned options = 0;
    storage.chunk.resize(limits::kRankCount);
    const int rank = H5Pget_chunk(creation.get(), static_cast<int>(limits::kRankCount), storage.chunk.data());
    if (rank < 1 || rank > static_cast<int>(limits::kRankCount)) return damaged_error();
    storage.chunk.resize(static_cast<std::size_t>(rank));
    if (H5Pget_chunk_opts(creation.get(), &options) < 0) return damaged_error();
    if (options != 0) return refusal("stores " + owner + " in an unusual way");
    return storage;
  }

  Result<std::vector<H5Z_filter_t>> filters_of(hid_t creation, const std::string& owner) const {
    std::vector<H5Z_filter_t> filters;
    const int filters_count = H5Pget_nfilters(creation);
    for (int i = 0; i < filters_count; ++i) {
      unsigned flags = 0, configuration = 0;
      std::size_t options_count = 0;
      std::array<char, 64> name{};
      const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &options_count,
                                                 nullptr, name.size() - 1, name.data(), &configuration);
      const bool is_usual =
          filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32;
      if (!is_usual || std::count(filters.begin(), filters.end(), filter) > 0) {
        return refusal("compresses " + owner + " by an unusual method: filter " + std::to_string(filter) +
                       " " + quoted_name(name.data()) + (is_usual ? ", twice" : ""));
      }
      filters.push_back(filter);
    }
    return filters;
  }

  /// HDF5 unpacks a chunk whole, whatever of it is asked for and however much it becomes. So each is unpacked
  /// here first, without keeping what comes out: it must become what a chunk holds, to the byte.
  Status check_chunks(hid_t dataset, const Storage& storage, const std::string& owner, const Shape& shape,
                      std::size_t value_bytes) const {
    const std::vector<hsize_t>& chunk = storage.chunk;
    if (chunk.size() != shape.size()) return damaged();
    std::uint64_t values_bytes = value_bytes, chunk_bytes = value_bytes, count = 1;
    for (const std::int64_t length : shape) values_bytes *= static_cast<std::uint64_t>(length);
    const std::uint64_t largest_bytes = std::max<std::uint64_t>(values_bytes, limits::kMiB);
    for (std::size_t axis = 0; axis < chunk.size(); ++axis) {
      if (chunk[axis] < 1 || chunk[axis] > largest_bytes / chunk_bytes)
        return refuse("stores " + owner + " in chunks that are larger than it is");
      chunk_bytes *= chunk[axis];
      count *= (static_cast<hsize_t>(shape[axis]) + chunk[axis] - 1) / chunk[axis];
    }
    if (count > kChunksCount) return refuse("stores " + owner + " in too many chunks");
    std::vector<hsize_t> offset(chunk.size());
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY(check_chunk(dataset, storage, owner, offset, chunk_bytes));
      for (std::size_t axis = chunk.size(); axis-- > 0;) {
        offset[axis] += chunk[axis];
        if (offset[axis] < static_cast<hsize_t>(shape[axis])) break;
        offset[axis] = 0;
      }
    }
    return Ok{};
  }

  Status check_chunk(hid_t dataset, const Storage& storage, const std::string& owner,
                     const std::vector<hsize_t>& offset, std::uint64_t chunk_bytes) const {
    hsize_t stored_bytes = 0;
    if (H5Dget_chunk_storage_size(dataset, offset.data(), &stored_bytes) < 0) return damaged();
    if (stored_bytes == 0) return Ok{};          // never written: HDF5 fills it in
    constexpr std::uint64_t kSlackBytes = 1024;  // what can't be packed grows by far less
    if (stored_bytes > 2 * chunk_bytes + kSlackBytes || stored_bytes > image_bytes_)
      return refuse("stores " + owner + " in more bytes than it can have");
    Bytes stored(stored_bytes);
    std::uint32_t skipped_filters = 0;
    if (H5Dread_chunk(dataset, H5P_DEFAULT, offset.data(), &skipped_filters, stored.data()) < 0)
      return damaged();
    std::uint64_t size_bytes = stored.size();
    for (std::size_t i = storage.filters.size(); i-- > 0;) {
      if ((skipped_filters >> i & 1U) != 0) continue;
      if (storage.filters[i] == H5Z_FILTER_FLETCHER32) {
        if (size_bytes < kChecksumBytes) return damaged();
        size_bytes -= kChecksumBytes;
      } else if (storage.filters[i] == H5Z_FILTER_DEFLATE) {
        // Before it come at most a checksum, which is cut off behind the stream, and a shuffle.
        const auto inflated = inflated_size(ByteView(stored).first(size_bytes), chunk_bytes + kChecksumBytes);
        if (!inflated) return wrong_chunk(owner);
        size_bytes = *inflated;
      }
    }
    return size_bytes == chunk_bytes ? Status(Ok{}) : wrong_chunk(owner);
  }

  Status wrong_chunk(const std::string& owner) const {
    return make_error(Code::kCorrupt,
                      label_ + " has a chunk of " + owner + " that does not unpack to what a chunk holds");
  }

  Error damaged_error() const { return make_error(Code::kCorrupt, label_ + " is damaged or cut off"); }

  std::string label_;
  std::uint64_t image_bytes_;
  ParameterTable& table_;
  std::set<haddr_t> groups_;
  std::size_t objects_count_ = 0;
};

}  // namespace

void warm_up_h5() {
  H5open();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

Status read_parameter_h5(ByteView bytes, const std::string& member, ParameterTable& table) {
  static constexpr std::uint8_t kMagic[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  if (bytes.size() < sizeof(kMagic) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return invalid("the parameter file " + quoted_name(member) + " is no HDF5 file");
  }
  warm_up_h5();
  Image image{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};  // the driver's interface has no const
  H5FD_file_image_callbacks_t callbacks{Image::take,  Image::copy,    Image::grow, Image::give_back,
                                        Image::share, Image::unshare, &image};
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  const bool ready = access.valid() && H5Pset_fapl_core(access.get(), limits::kMiB, 0) >= 0 &&
                     H5Pset_file_image_callbacks(access.get(), &callbacks) >= 0 &&
                     H5Pset_file_image(access.get(), image.data, image.size_bytes) >= 0;
  if (!ready) return internal("HDF5 refuses the image of a file");
  const Handle file(H5Fopen("parameter.h5", H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (!file.valid()) {
    return make_error(Code::kCorrupt, "the parameter file " + quoted_name(member) + " is damaged or cut off");
  }
  const Handle root(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose);
  if (!root.valid()) {
    return make_error(Code::kCorrupt, "the parameter file " + quoted_name(member) + " is damaged or cut off");
  }
  return Reader(member, bytes.size(), table).read_group(root.get(), "", 0);
}

}  // namespace noren::worker::nnp
