#include <array>
#include <charconv>
#include <cstdint>

#include <vector>

#include "bare_model.h"

#include <cstdio>
// jpeglib.h wants stdio's names to be there already.
#include <jpeglib.h>
#include <onnxruntime_cxx_api.h>
#include <png.h>
#include <simdjson.h>
#include <sndfile.h>

namespace noren::bench {
namespace {

constexpr float kPixelScale = 1.0F / 255;

Ort::Env& environment() {
  static Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "bare");
  return env;
}

Ort::SessionOptions one_thread() {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  return options;
}

std::size_t count_of(const std::vector<std::int64_t>& shape) {
  std::size_t count = 1;
  for (const std::int64_t side : shape) count *= static_cast<std::size_t>(side);
  return count;
}

std::array<std::int8_t, 256> base64_table() {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  const char* letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(letters[i])] = static_cast<std::int8_t>(i);
  return table;
}

bool decode_base64(std::string_view text, std::string& out) {
  static const std::array<std::int8_t, 256> table = base64_table();
  while (text.ends_with('=')) text.remove_suffix(1);
  out.clear();
  int bits = 0, held = 0;
  for (const char c : text) {
    const int value = table[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    held = (held << 6 | value) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<char>(held >> bits & 0xff));
  }
  return true;
}

bool decode_png(std::string_view file, std::vector<std::uint8_t>& pixels, std::vector<float>& values) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, file.data(), file.size()) == 0) return false;
  image.format = PNG_FORMAT_GRAY;
  pixels.resize(PNG_IMAGE_SIZE(image));
  if (pixels.size() != values.size() ||
      png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) == 0)
    return false;
  for (std::size_t i = 0; i < pixels.size(); ++i) values[i] = static_cast<float>(pixels[i]) * kPixelScale;
  return true;
}

/// RGB, one plane after the other.
bool decode_jpeg(std::string_view file, std::vector<std::uint8_t>& pixels, std::vector<float>& values) {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  const std::size_t plane = std::size_t{jpeg.output_width} * jpeg.output_height;
  const bool fits = 3 * plane == values.size();
  pixels.resize(3 * plane);
  while (fits && jpeg.output_scanline < jpeg.output_height) {
    std::uint8_t* row = pixels.data() + std::size_t{jpeg.output_scanline} * jpeg.output_width * 3;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_destroy_decompress(&jpeg);
  for (std::size_t c = 0; fits && c < 3; ++c)
    for (std::size_t i = 0; i < plane; ++i)
      values[c * plane + i] = static_cast<float>(pixels[3 * i + c]) * kPixelScale;
  return fits;
}

struct MemoryFile {
  std::string_view bytes;
  sf_count_t at = 0;
};

SF_VIRTUAL_IO memory_io() {
  SF_VIRTUAL_IO io{};
  io.get_filelen = [](void* file) {
    return static_cast<sf_count_t>(static_cast<MemoryFile*>(file)->bytes.size());
  };
  io.seek = [](sf_count_t offset, int whence, void* file) {
    auto& memory = *static_cast<MemoryFile*>(file);
    const auto size = static_cast<sf_count_t>(memory.bytes.size());
    memory.at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? memory.at + offset : size + offset;
    return memory.at;
  };
  io.read = [](void* to, sf_count_t count, void* file) {
    auto& memory = *static_cast<MemoryFile*>(file);
    const auto taken = static_cast<sf_count_t>(memory.bytes.copy(
        static_cast<char*>(to), static_cast<std::size_t>(count), static_cast<std::size_t>(memory.at)));
    memory.at += taken;
    return taken;
  };
  io.write = [](const void*, sf_count_t, void*) { return sf_count_t{0}; };
  io.tell = [](void* file) { return static_cast<MemoryFile*>(file)->at; };
  return io;
}

bool decode_wav(std::string_view bytes, std::vector<float>& values) {
  MemoryFile memory{bytes};
  SF_VIRTUAL_IO io = memory_io();
  SF_INFO info{};
  SNDFILE* const file = sf_open_virtual(&io, SFM_READ, &info, &memory);
  if (file == nullptr) return false;
  const sf_count_t wanted = static_cast<sf_count_t>(values.size());
  const bool fits =
      info.frames * info.channels == wanted && sf_read_float(file, values.data(), wanted) == wanted;
  sf_close(file);
  for (float& value : values) value *= 32768;  // as 16-bit files are read in training
  return fits;
}

void print(std::string& out, const float* values, std::size_t count) {
  constexpr std::size_t kNumberBytes = 28;
  out.assign(R"({"version":"v0","outputs":[{"name":"y","data":")");
  const std::size_t start = out.size();
  out.resize(start + count * kNumberBytes);
  char* at = out.data() + start;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) *at++ = ',', *at++ = ' ';
    at = std::to_chars(at, at + kNumberBytes - 2, static_cast<double>(values[i])).ptr;
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
  out += "\"}]}";
}

}  // namespace

struct BareModel::State {
  State(const std::string& onnx_file, InputKind input_kind)
      : session(environment(), onnx_file.c_str(), one_thread()), kind(input_kind) {
    auto in = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    auto out = session.GetOutputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    in[0] = out[0] = 1;
    values.resize(count_of(in));
    results.resize(count_of(out));
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    input = Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), in.data(), in.size());
    output = Ort::Value::CreateTensor<float>(memory, results.data(), results.size(), out.data(), out.size());
    Ort::AllocatorWithDefaultOptions allocator;
    input_name = session.GetInputNameAllocated(0, allocator).get();
    output_name = session.GetOutputNameAllocated(0, allocator).get();
  }

  bool read(std::string& body) {
    body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    auto document = parser.iterate(body.data(), body.size(), body.capacity());
    auto data = document["inputs"].at(0)["data"];
    if (kind == InputKind::kVector) {
      std::size_t i = 0;
      for (auto row : data.get_array())
        for (auto number : row.get_array()) values.at(i++) = static_cast<float>(double{number.get_double()});
      return i == values.size();
    }
    const std::string_view text = data.get_string();
    if (!decode_base64(text, file)) return false;
    if (kind == InputKind::kPng) return decode_png(file, pixels, values);
    return kind == InputKind::kJpeg ? decode_jpeg(file, pixels, values) : decode_wav(file, values);
  }

  void run() {
    const char* const ins[] = {input_name.c_str()};
    const char* const outs[] = {output_name.c_str()};
    session.Run(options, ins, &input, 1, outs, &output, 1);
  }

  Ort::Session session;
  InputKind kind;
  Ort::RunOptions options;
  Ort::Value input{nullptr}, output{nullptr};
  std::string input_name, output_name;
  std::vector<float> values, results;
  std::vector<std::uint8_t> pixels;
  std::string file, answer;
  simdjson::ondemand::parser parser;
};

BareModel::BareModel(const std::string& onnx_file, InputKind kind)
    : state_(std::make_unique<State>(onnx_file, kind)) {}
BareModel::~BareModel() = default;

const std::string& BareModel::answer(std::string& body) {
  state_->answer.clear();
  try {
    if (!state_->read(body)) return state_->answer;
  } catch (const std::exception&) {  // simdjson's errors, and a vector that is too long
    return state_->answer;
  }
  state_->run();
  print(state_->answer, state_->results.data(), state_->results.size());
  return state_->answer;
}

}  // namespace noren::bench
