// worker/model_file/nnp/test_files.h - Makes small .nnp files in memory, right and wrong ones, for tests and
// fuzzing. Test programs only.
#pragma once

#include <hdf5.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace noren::worker::nnp::test {

inline void put(std::string& target, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) target += static_cast<char>(value >> (8 * i));
}

struct Member {
  std::string name;
  std::string data;
  bool deflated = false;
  std::int64_t declared_size_change = 0;
  bool encrypted = false;
};

inline std::string deflate_raw(const std::string& data) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string make_zip(const std::vector<Member>& members) {
  std::string file, directory;
  for (const Member& member : members) {
    const std::string stored = member.deflated ? deflate_raw(member.data) : member.data;
    std::string fields;
    put(fields, 20, 2);
    put(fields, member.encrypted ? 1 : 0, 2);
    put(fields, member.deflated ? 8 : 0, 2);
    put(fields, 0, 4);
    put(fields,
        crc32(0, reinterpret_cast<const Bytef*>(member.data.data()), static_cast<uInt>(member.data.size())),
        4);
    put(fields, stored.size(), 4);
    put(fields, member.data.size() + static_cast<std::uint64_t>(member.declared_size_change), 4);
    put(fields, member.name.size(), 2);
    put(fields, 0, 2);
    directory += std::string("PK\1\2\x14\0", 6) + fields;
    put(directory, 0, 2);
    put(directory, 0, 4);
    put(directory, 0, 4);
    put(directory, file.size(), 4);
    directory += member.name;
    file += "PK\3\4" + fields + member.name + stored;
  }
  const std::size_t begin = file.size();
  file += directory + std::string("PK\5\6\0\0\0\0", 8);
  put(file, members.size(), 2);
  put(file, members.size(), 2);
  put(file, directory.size(), 4);
  put(file, begin, 4);
  put(file, 0, 2);
  return file;
}

inline void put_varint(std::string& target, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) target += static_cast<char>(value | 0x80);
  target += static_cast<char>(value);
}

inline void put_bytes(std::string& target, std::uint32_t field, const std::string& data) {
  put_varint(target, std::uint64_t{field} << 3 | 2);
  put_varint(target, data.size());
  target += data;
}

struct StoredTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

inline std::string make_parameter_protobuf(const std::vector<StoredTensor>& tensors) {
  std::string file;
  for (const StoredTensor& tensor : tensors) {
    std::string dimensions, shape, values, parameter;
    for (const std::int64_t dimension : tensor.shape)
      put_varint(dimensions, static_cast<std::uint64_t>(dimension));
    put_bytes(shape, 1, dimensions);
    values.resize(tensor.values.size() * sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), tensor.values.data(), values.size());
    put_bytes(parameter, 1, tensor.name);
    put_bytes(parameter, 20, shape);
    put_bytes(parameter, 100, values);
    put_bytes(file, 200, parameter);
  }
  return file;
}

/// Groups are made from the '/' in the names.
inline std::string make_parameter_h5(const std::vector<StoredTensor>& tensors, hid_t type = H5T_IEEE_F32LE) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5Fcreate("made.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  for (const StoredTensor& tensor : tensors) {
    const std::vector<hsize_t> dimensions(tensor.shape.begin(), tensor.shape.end());
    const hid_t space = H5Screate_simple(static_cast<int>(dimensions.size()), dimensions.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file, tensor.name.c_str(), type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.values.data());
    H5Dclose(dataset);
    H5Sclose(space);
  }
  H5Pclose(links);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  std::string image(static_cast<std::size_t>(H5Fget_file_image(file, nullptr, 0)), '\0');
  H5Fget_file_image(file, image.data(), image.size());
  H5Fclose(file);
  H5Pclose(access);
  return image;
}

/// One Affine from x (4 numbers) to y (3 numbers).
inline std::string affine_text() {
  return R"(network {
  name: "Main"
  batch_size: 8
  variable { name: "Input" type: "Buffer" shape: { dim: -1 dim: 4 } }
  variable { name: "A/affine/W" type: "Parameter" shape: { dim: 4 dim: 3 } }
  variable { name: "A/affine/b" type: "Parameter" shape: { dim: 3 } }
  variable { name: "A" type: "Buffer" shape: { dim: -1 dim: 3 } }
  function { name: "A" type: "Affine" input: "Input" input: "A/affine/W" input: "A/affine/b" output: "A"
             affine_param { base_axis: 1 } }
}
executor {
  name: "Executor" network_name: "Main"
  data_variable { variable_name: "Input" data_name: "x" }
  output_variable { variable_name: "A" data_name: "y'" }
}
)";
}

inline std::vector<StoredTensor> affine_tensors() {
  return {{"A/affine/W", {4, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}, {"A/affine/b", {3}, {-1, 0, 1}}};
}

}  // namespace noren::worker::nnp::test
