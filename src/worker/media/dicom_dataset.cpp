#include "worker/media/dicom_dataset.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/limits.h"
#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

constexpr std::size_t kPreambleBytes = 132;  // 128 of anything, then DICM
constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr int kNestingCount = 16;

constexpr std::uint32_t kTransferSyntax = 0x00020010;
constexpr std::uint32_t kPixelData = 0x7FE00010;
constexpr std::uint32_t kItem = 0xFFFEE000;
constexpr std::uint32_t kItemEnd = 0xFFFEE00D;
constexpr std::uint32_t kSequenceEnd = 0xFFFEE0DD;

struct Syntax {
  std::string_view uid;
  DicomCoding coding;
};
// Explicit VR little endian, but for the three that say otherwise below.
constexpr std::string_view kImplicitLittle = "1.2.840.10008.1.2";
constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";
constexpr std::string_view kExplicitBig = "1.2.840.10008.1.2.2";
constexpr std::string_view kDeflated = "1.2.840.10008.1.2.1.99";
constexpr std::array<Syntax, 13> kSyntaxes = {{{kImplicitLittle, DicomCoding::kNative},
                                               {kExplicitLittle, DicomCoding::kNative},
                                               {kExplicitBig, DicomCoding::kNative},
                                               {kDeflated, DicomCoding::kNative},
                                               {"1.2.840.10008.1.2.5", DicomCoding::kRunLength},
                                               {"1.2.840.10008.1.2.4.50", DicomCoding::kJpeg},
                                               {"1.2.840.10008.1.2.4.51", DicomCoding::kJpeg},
                                               {"1.2.840.10008.1.2.4.57", DicomCoding::kJpegLossless},
                                               {"1.2.840.10008.1.2.4.70", DicomCoding::kJpegLossless},
                                               {"1.2.840.10008.1.2.4.80", DicomCoding::kJpegLs},
                                               {"1.2.840.10008.1.2.4.81", DicomCoding::kJpegLs},
                                               {"1.2.840.10008.1.2.4.90", DicomCoding::kJpeg2000},
                                               {"1.2.840.10008.1.2.4.91", DicomCoding::kJpeg2000}}};

Error ends_early() { return invalid("the DICOM file is damaged or ends early"); }

struct Encoding {
  bool is_explicit = true;
  std::endian order = std::endian::little;
};

struct Element {
  std::uint32_t tag = 0;
  std::array<char, 2> type = {};  ///< the value representation; zeros where the file does not say
  std::uint32_t length = 0;       ///< in bytes, or kUndefined
};

/// Goes through the elements of a data set, front to back.
class Elements {
 public:
  Elements(ByteView bytes, Encoding encoding) : bytes_(bytes), encoding_(encoding) {}

  bool is_over() const { return left() < 8; }
  std::size_t position() const { return position_; }
  const Encoding& encoding() const { return encoding_; }

  std::uint32_t peek_tag() const { return tag_at(position_); }

  Result<Element> next() {
    if (left() < 8) return ends_early();
    Element element;
    element.tag = tag_at(position_);
    const std::size_t type_at = position_ + 4;
    position_ += 8;
    const bool is_delimiter = element.tag >> 16 == 0xFFFE;
    // Some writers leave the type out of single elements of an explicit file.
    if (!encoding_.is_explicit || is_delimiter || !is_type(type_at)) {
      element.length = number(type_at, 4);
      return element;
    }
    element.type = {static_cast<char>(bytes_[type_at]), static_cast<char>(bytes_[type_at + 1])};
    if (!has_long_length(element.type)) {
      element.length = number(type_at + 2, 2);
      return element;
    }
    if (left() < 4) return ends_early();
    element.length = number(position_, 4);
    position_ += 4;
    return element;
  }

  Result<ByteView> value(const Element& element) {
    if (element.length > left()) return ends_early();
    const ByteView bytes = bytes_.subspan(position_, element.length);
    position_ += element.length;
    return bytes;
  }

  /// Steps over a value; one of undefined length is a sequence.
  Status skip(const Element& element, int nesting) {
    if (element.length != kUndefined) {
      ASSIGN_OR_RETURN([[maybe_unused]] const ByteView skipped, value(element));
      return Ok{};
    }
    if (nesting == kNestingCount) return invalid("the DICOM file's sequences are nested too deeply");
    const Encoding outer = encoding_;
    // What is unknown and of undefined length holds elements without types.
    if (element.type == std::array<char, 2>{'U', 'N'}) encoding_ = {false, std::endian::little};
    while (true) {
      ASSIGN_OR_RETURN(const Element item, next());
      if (item.tag == kSequenceEnd) break;
      if (item.tag != kItem) return ends_early();
      if (item.length != kUndefined) {
        TRY(skip(item, nesting));
        continue;
      }
      while (true) {
        ASSIGN_OR_RETURN(const Element inner, next());
        if (inner.tag == kItemEnd) break;
        TRY(skip(inner, nesting + 1));
      }
    }
    encoding_ = outer;
    return Ok{};
  }

  std::uint32_t number(std::size_t at, std::size_t size_bytes) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size_bytes; ++i)
      value = value << 8 | bytes_[encoding_.order == std::endian::big ? at + i : at + size_bytes - 1 - i];
    return value;
  }

 private:
  std::size_t left() const { return bytes_.size() - position_; }
  std::uint32_t tag_at(std::size_t at) const { return number(at, 2) << 16 | number(at + 2, 2); }
  bool is_type(std::size_t at) const {
    const auto is_capital = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
    return is_capital(bytes_[at]) && is_capital(bytes_[at + 1]);
  }
  static bool has_long_length(std::array<char, 2> type) {
    constexpr std::array<std::string_view, 13> kLong = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ",
                                                        "SV", "UC", "UN", "UR", "UT", "UV"};
    return std::find(kLong.begin(), kLong.end(), std::string_view(type.data(), 2)) != kLong.end();
  }

  ByteView bytes_;
  Encoding encoding_;
  std::size_t position_ = 0;
};

/// A text value without the padding behind it.
std::string_view text_value(ByteView bytes) {
  std::string_view text = text_of(bytes);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

/// The first of the decimal numbers of a value. An error where it is no number.
Result<double> decimal_value(ByteView bytes, const char* name) {
  const std::string_view all = text_value(bytes);
  std::string_view text = text_value(bytes_of(all.substr(0, all.find('\\'))));
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const std::from_chars_result read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !std::isfinite(value))
    return invalid("the DICOM file's " + std::string(name) + " is not a number");
  return value;
}

struct Parser {
  Elements elements;
  DicomDataset& dataset;
  std::vector<ByteView> fragments = {};
  ByteView offsets = {};

  Result<int> small_number(ByteView bytes) const {
    if (bytes.size() < 2) return ends_early();
    const bool is_big = elements.encoding().order == std::endian::big;
    return is_big ? bytes[0] << 8 | bytes[1] : bytes[1] << 8 | bytes[0];
  }

  Status take(std::uint32_t tag, ByteView bytes) {
    if (bytes.empty()) return Ok{};
    const auto take_number = [&](auto& field) -> Status {
      ASSIGN_OR_RETURN(const int number, small_number(bytes));
      field = static_cast<std::remove_reference_t<decltype(field)>>(number);
      return Ok{};
    };
    const auto take_decimal = [&](auto& field, const char* name) -> Status {
      ASSIGN_OR_RETURN(field, decimal_value(bytes, name));
      return Ok{};
    };
    switch (tag) {
      case 0x00280002: return take_number(dataset.samples_count);
      case 0x00280004: dataset.photometric = text_value(bytes); return Ok{};
      case 0x00280006: return take_number(dataset.is_planar);
      case 0x00280008: {
        double frames = 0;
        TRY(take_decimal(frames, "number of frames"));
        dataset.frames_count = static_cast<std::int64_t>(std::clamp(frames, 1.0, 1e9));
        return Ok{};
      }
      case 0x00280010: return take_number(dataset.rows);
      case 0x00280011: return take_number(dataset.columns);
      case 0x00280100: return take_number(dataset.bits_allocated);
      case 0x00280101: return take_number(dataset.bits_stored);
      case 0x00280103: return take_number(dataset.is_signed);
      case 0x00281050: return take_decimal(dataset.window_center, "window center");
      case 0x00281051: return take_decimal(dataset.window_width, "window width");
      case 0x00281052: return take_decimal(dataset.rescale_intercept, "rescale intercept");
      case 0x00281053: return take_decimal(dataset.rescale_slope, "rescale slope");
      default: return Ok{};
    }
  }

  /// The offset table, then the pieces of the compressed frames.
  Status read_fragments() {
    bool is_first = true;
    while (!elements.is_over()) {
      ASSIGN_OR_RETURN(const Element item, elements.next());
      if (item.tag == kSequenceEnd) return Ok{};
      if (item.tag != kItem) return ends_early();
      ASSIGN_OR_RETURN(const ByteView bytes, elements.value(item));
      is_first ? offsets = bytes : fragments.emplace_back(bytes);
      is_first = false;
    }
    return Ok{};  // a missing end is tolerated
  }

  Status read() {
    while (!elements.is_over()) {
      ASSIGN_OR_RETURN(const Element element, elements.next());
      if (element.tag == kPixelData && element.length == kUndefined) return read_fragments();
      if (element.length == kUndefined || element.type == std::array<char, 2>{'S', 'Q'}) {
        TRY(elements.skip(element, 0));
        continue;
      }
      ASSIGN_OR_RETURN(const ByteView bytes, elements.value(element));
      if (element.tag == kPixelData) {
        dataset.pixels = bytes;
        dataset.has_words = element.type != std::array<char, 2>{'O', 'B'};
        return Ok{};
      }
      TRY(take(element.tag, bytes));
    }
    return invalid("the DICOM file has no pixel data");
  }
};

/// How many of the fragments make the first frame.
std::size_t fragments_of_first_frame(const Parser& parser, std::int64_t frames_count) {
  const std::size_t count = parser.fragments.size();
  if (frames_count <= 1) return count;
  if (parser.offsets.size() < 8) return std::min<std::size_t>(count, 1);
  std::uint64_t second = 0;  // where the second frame begins, from the first fragment's item on
  for (std::size_t i = 8; i-- > 4;) second = second << 8 | parser.offsets[i];
  std::size_t used = 0;
  for (std::uint64_t at = 0; used < count && at < second; ++used) at += 8 + parser.fragments[used].size();
  return std::max<std::size_t>(used, 1);
}

void join_fragments(const Parser& parser, DicomDataset& dataset) {
  const std::size_t used = fragments_of_first_frame(parser, dataset.frames_count);
  if (used == 1) {
    dataset.pixels = parser.fragments[0];
    return;
  }
  for (std::size_t i = 0; i < used; ++i)
    dataset.storage.insert(dataset.storage.end(), parser.fragments[i].begin(), parser.fragments[i].end());
  dataset.pixels = dataset.storage;
}

/// The deflated part of a file, unpacked within the limit.
Result<Bytes> inflate_raw(ByteView compressed) {
  z_stream stream = {};
  stream.next_in = const_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return internal("zlib did not start");
  Bytes out;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= static_cast<std::size_t>(limits::kImageUnpackedBytes)) {
    const std::size_t done = out.size();
    out.resize(std::max<std::size_t>(64 * limits::kKiB, done * 2));
    stream.next_out = out.data() + done;
    stream.avail_out = static_cast<uInt>(out.size() - done);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (status == Z_OK && stream.avail_in == 0 && stream.avail_out != 0)
      break;  // cut: the elements will tell
  }
  inflateEnd(&stream);
  if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return ends_early();
  if (out.size() > static_cast<std::size_t>(limits::kImageUnpackedBytes))
    return make_error(Code::kTooLarge, "the DICOM file is too large when unpacked");
  return out;
}

/// The elements of group 2, which say how the rest is written. Returns where the rest begins.
Result<std::size_t> read_meta(ByteView file, std::string& transfer_syntax) {
  Elements elements(file.subspan(kPreambleBytes), {true, std::endian::little});
  while (!elements.is_over() && elements.peek_tag() >> 16 == 2) {
    ASSIGN_OR_RETURN(const Element element, elements.next());
    ASSIGN_OR_RETURN(const ByteView bytes, elements.value(element));
    if (element.tag == kTransferSyntax) transfer_syntax = text_value(bytes);
  }
  return kPreambleBytes + elements.position();
}

bool looks_explicit(ByteView bytes) {
  return bytes.size() > 5 && bytes[4] >= 'A' && bytes[4] <= 'Z' && bytes[5] >= 'A' && bytes[5] <= 'Z';
}

Status check_header(const DicomDataset& dataset) {
  if (dataset.bits_allocated == 0 || dataset.rows == 0 || dataset.columns == 0)
    return invalid("the DICOM file does not say how large its picture is");
  const int bits = dataset.bits_allocated;
  if (bits != 1 && bits != 8 && bits != 16 && bits != 32)
    return unsupported("a DICOM file with " + std::to_string(bits) + " bits allocated is not read");
  if (dataset.samples_count != 1 && dataset.samples_count != 3)
    return unsupported("a DICOM file with " + std::to_string(dataset.samples_count) +
                       " samples a pixel is not read");
  return check_picture_size(dataset.columns, dataset.rows, dataset.samples_count * std::max(bits / 8, 1));
}

}  // namespace

Result<DicomDataset> read_dicom(ByteView file) {
  if (file.size() < kPreambleBytes || text_of(file.subspan(kPreambleBytes - 4, 4)) != "DICM")
    return invalid("this is not a DICOM file (no DICM at byte 128)");
  DicomDataset dataset;
  ASSIGN_OR_RETURN(const std::size_t begin, read_meta(file, dataset.transfer_syntax));
  ByteView body = file.subspan(begin);
  std::string& syntax = dataset.transfer_syntax;
  if (syntax.empty()) syntax = looks_explicit(body) ? kExplicitLittle : kImplicitLittle;
  const auto known = std::find_if(kSyntaxes.begin(), kSyntaxes.end(),
                                  [&](const Syntax& entry) { return entry.uid == syntax; });
  if (known == kSyntaxes.end()) return unsupported("the DICOM file's transfer syntax is not read");
  dataset.coding = known->coding;
  dataset.order = syntax == kExplicitBig ? std::endian::big : std::endian::little;
  Bytes inflated;
  if (syntax == kDeflated) {
    ASSIGN_OR_RETURN(inflated, inflate_raw(body));
    body = inflated;
  }
  Parser parser{Elements(body, {syntax != kImplicitLittle, dataset.order}), dataset};
  TRY(parser.read());
  TRY(check_header(dataset));
  if (dataset.coding != DicomCoding::kNative) {
    if (parser.fragments.empty()) return invalid("the DICOM file has no pixel data");
    join_fragments(parser, dataset);
  } else if (!parser.fragments.empty()) {
    return ends_early();
  }
  if (!inflated.empty())
    dataset.storage = std::move(inflated);  // the view stays: a moved vector keeps its bytes
  return dataset;
}

}  // namespace noren::worker
