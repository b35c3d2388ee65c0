// JPEG by libjpeg-turbo with its defaults (accurate integer transform, fancy upsampling), which are the
// reference's. Grey 1 channel, YCbCr and RGB 3, CMYK and YCCK 4 with the inversion undone. EXIF orientation
// is not applied.
#include <csetjmp>
#include <cstdio>  // jpeglib.h wants it
#include <string>

#include <jpeglib.h>

#include <jerror.h>

#include "base/limits.h"
#include "worker/media/decoders.h"

namespace noren::worker {
namespace {

/// Everything that a longjmp may pass over: trivial members only.
struct State {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  jmp_buf on_error;
  bool ends_early;
  bool is_created;
};

State& state_of(j_common_ptr decoder) { return *static_cast<State*>(decoder->client_data); }

[[noreturn]] void leave(j_common_ptr decoder) { longjmp(state_of(decoder).on_error, 1); }

void note_message(j_common_ptr decoder, int level) {
  // A warning: the reference takes damaged pixels for what they are, but not a file that ends before its end
  // marker.
  if (level < 0 && decoder->err->msg_code == JWRN_JPEG_EOF) {
    state_of(decoder).ends_early = true;
    leave(decoder);
  }
}
void print_nothing(j_common_ptr) {}

/// A progressive file may repeat its scans without end: each costs the time of a whole picture.
void watch_scans(j_common_ptr decoder) {
  const auto* jpeg = reinterpret_cast<j_decompress_ptr>(decoder);
  if (jpeg->input_scan_number > limits::kJpegScansCount) leave(decoder);
}

void prepare(State& state) {
  state.decoder.err = jpeg_std_error(&state.errors);
  state.errors.error_exit = leave;
  state.errors.emit_message = note_message;
  state.errors.output_message = print_nothing;
  state.progress.progress_monitor = watch_scans;
  state.ends_early = false;
  state.is_created = false;
  state.decoder.client_data = &state;
}

bool read_header(State& state, ByteView file) {
  if (setjmp(state.on_error) != 0) return false;
  jpeg_create_decompress(&state.decoder);
  state.is_created = true;
  state.decoder.client_data = &state;
  state.decoder.progress = &state.progress;
  state.decoder.mem->max_memory_to_use = static_cast<long>(limits::kImageUnpackedBytes * 2);
  jpeg_mem_src(&state.decoder, file.data(), file.size());
  return jpeg_read_header(&state.decoder, TRUE) == JPEG_HEADER_OK;
}

void choose_colours(jpeg_decompress_struct& decoder) {
  decoder.out_color_space = decoder.num_components == 1   ? JCS_GRAYSCALE
                            : decoder.num_components == 3 ? JCS_RGB
                                                          : JCS_CMYK;
}

bool read_rows(State& state, Picture& picture) {
  if (setjmp(state.on_error) != 0) return false;
  choose_colours(state.decoder);
  jpeg_start_decompress(&state.decoder);
  while (state.decoder.output_scanline < state.decoder.output_height) {
    JSAMPROW row = picture.row(state.decoder.output_scanline);
    jpeg_read_scanlines(&state.decoder, &row, 1);
  }
  jpeg_finish_decompress(&state.decoder);
  return true;
}

Error damaged(const State& state) {
  if (state.ends_early) return invalid("the JPEG file ends early");
  return make_error(Code::kInvalidArgument, "the JPEG file is damaged or of a kind that is not read",
                    "libjpeg message " + std::to_string(state.errors.msg_code));
}

Result<Picture> decode(State& state, ByteView file) {
  if (!read_header(state, file)) return damaged(state);
  const jpeg_decompress_struct& decoder = state.decoder;
  if (decoder.data_precision != 8)
    return unsupported("the JPEG file has " + std::to_string(decoder.data_precision) +
                       " bits a channel (8 are read)");
  if (decoder.num_components != 1 && decoder.num_components != 3 && decoder.num_components != 4)
    return unsupported("the JPEG file has " + std::to_string(decoder.num_components) +
                       " channels (1, 3 and 4 are read)");
  ASSIGN_OR_RETURN(Picture picture, make_picture({decoder.image_width, decoder.image_height,
                                                  decoder.num_components, 8, ChannelKind::kPlain}));
  if (!read_rows(state, picture)) return damaged(state);
  if (picture.channels_count ==
      4)  // the reference takes every CMYK file for Adobe's, which stores it inverted
    for (std::uint8_t& value : picture.bytes) value = static_cast<std::uint8_t>(255 - value);
  return picture;
}

}  // namespace

Result<Picture> decode_jpeg(ByteView file) {
  State state;
  prepare(state);
  Result<Picture> picture = decode(state, file);
  if (state.is_created) jpeg_destroy_decompress(&state.decoder);
  return picture;
}

}  // namespace noren::worker
