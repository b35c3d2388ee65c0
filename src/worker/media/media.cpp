#include "worker/media/media.h"

#include <algorithm>
#include <array>
#include <new>
#include <string>

#include "base/limits.h"
#include "worker/media/decoders.h"
#include "worker/media/layout.h"

namespace noren::worker {
namespace {

struct Extension {
  std::string_view name;
  MediaType type;
};
constexpr std::array<Extension, 9> kExtensions = {{{"png", MediaType::kImage},
                                                   {"jpg", MediaType::kImage},
                                                   {"jpeg", MediaType::kImage},
                                                   {"gif", MediaType::kImage},
                                                   {"bmp", MediaType::kImage},
                                                   {"tif", MediaType::kImage},
                                                   {"tiff", MediaType::kImage},
                                                   {"dcm", MediaType::kDicom},
                                                   {"wav", MediaType::kWav}}};

struct Signature {
  std::size_t at;
  std::string_view bytes;
  FileKind kind;
};
constexpr std::array<Signature, 13> kSignatures = {{{0, "\x89PNG\r\n\x1a\n", FileKind::kPng},
                                                    {0, "\xff\xd8\xff", FileKind::kJpeg},
                                                    {0, "GIF87a", FileKind::kGif},
                                                    {0, "GIF89a", FileKind::kGif},
                                                    {0, "BM", FileKind::kBmp},
                                                    {0, {"II\x2a\0", 4}, FileKind::kTiff},
                                                    {0, {"MM\0\x2a", 4}, FileKind::kTiff},
                                                    {0, {"II\x2b\0", 4}, FileKind::kTiff},
                                                    {0, {"MM\0\x2b", 4}, FileKind::kTiff},
                                                    {128, "DICM", FileKind::kDicom},
                                                    {0, "RIFF", FileKind::kWav},
                                                    {0, "RIFX", FileKind::kWav},
                                                    {0, "RF64", FileKind::kWav}}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Result<Picture> decode_picture(MediaType type, ByteView file) {
  if (file.empty()) return invalid("the file is empty");
  if (type == MediaType::kDicom) return decode_dicom(file);
  switch (kind_of(file)) {
    case FileKind::kPng: return decode_png(file);
    case FileKind::kJpeg: return decode_jpeg(file);
    case FileKind::kGif: return decode_gif(file);
    case FileKind::kBmp: return decode_bmp(file);
    case FileKind::kTiff: return decode_tiff(file);
    case FileKind::kDicom: return invalid("this is a DICOM file; its type is dcm");
    case FileKind::kWav:
    case FileKind::kOther: break;
  }
  return invalid("this is no picture that is read (png, jpg, gif, bmp, tif)");
}

}  // namespace

FileKind kind_of(ByteView file) {
  const std::string_view text = text_of(file);
  for (const Signature& signature : kSignatures)
    if (text.size() >= signature.at && text.substr(signature.at).starts_with(signature.bytes))
      return signature.kind;
  return FileKind::kOther;
}

std::optional<MediaType> media_type_of(std::string_view extension) {
  const auto is_same = [](char a, char b) { return lower(a) == b; };
  for (const Extension& known : kExtensions)
    if (std::equal(extension.begin(), extension.end(), known.name.begin(), known.name.end(), is_same))
      return known.type;
  return std::nullopt;
}

Result<Tensor> decode_media(MediaType type, ByteView file, const MediaTarget& target) {
  try {
    if (type == MediaType::kWav) {
      ASSIGN_OR_RETURN(Sound sound, decode_wav(file));
      return lay_out(std::move(sound), target);
    }
    ASSIGN_OR_RETURN(Picture picture, decode_picture(type, file));
    return lay_out(std::move(picture), target);
  } catch (const std::bad_alloc&) {
    return make_error(Code::kTooLarge, "the file needs more memory than there is");
  }
}

}  // namespace noren::worker
