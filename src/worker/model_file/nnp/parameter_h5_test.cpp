// Parameter files that mean harm: each is refused with one sentence that names the place, and none takes
// memory that it only promises.
#include "worker/model_file/nnp/parameter_h5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>
#include <zlib.h>

#include <array>
#include <functional>

#include "base/limits.h"

namespace noren::worker::nnp {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kKeptKib = 64 * 1024;

std::int64_t most_memory_kib() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// The bytes of a file that `fill` writes.
Bytes made(const std::function<void(hid_t file)>& fill) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const hid_t file = H5Fcreate("made.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  fill(file);
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  Bytes image(static_cast<std::size_t>(H5Fget_file_image(file, nullptr, 0)));
  H5Fget_file_image(file, image.data(), image.size());
  H5Fclose(file);
  H5Pclose(access);
  return image;
}

/// A dataset "W" of floats, laid out as `creation` says.
hid_t dataset(hid_t file, const std::vector<hsize_t>& shape, hid_t creation = H5P_DEFAULT,
              hid_t type = H5T_IEEE_F32LE) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t made = H5Dcreate2(file, "W", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  EXPECT_GE(made, 0);
  H5Sclose(space);
  return made;
}

hid_t deflated_chunks(const std::vector<hsize_t>& chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  H5Pset_deflate(creation, 9);
  return creation;
}

/// In small steps: the memory that a test takes itself must not hide what the reader takes.
std::string packed_zeros(std::size_t mebibytes) {
  std::string packed(mebibytes << 11, '\0');
  std::vector<Bytef> zeros(std::size_t{1} << 20);
  z_stream stream{};
  EXPECT_EQ(deflateInit(&stream, 9), Z_OK);
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  for (std::size_t i = 0; i <= mebibytes; ++i) {
    stream.next_in = zeros.data();
    stream.avail_in = i < mebibytes ? static_cast<uInt>(zeros.size()) : 0;
    EXPECT_EQ(deflate(&stream, i < mebibytes ? Z_NO_FLUSH : Z_FINISH), i < mebibytes ? Z_OK : Z_STREAM_END);
  }
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Status read(const Bytes& file) {
  ParameterTable table({"W"});
  return read_parameter_h5(file, "parameter.h5", table);
}

/// Reads it, and checks that little memory was taken for it.
std::string refusal(const Bytes& file) {
  const std::int64_t before_kib = most_memory_kib();
  const Status status = read(file);
  EXPECT_LT(most_memory_kib() - before_kib, kKeptKib);
  EXPECT_FALSE(status.ok());
  if (status.ok()) return "";
  EXPECT_LT(status.error().text.size(), 300u);
  EXPECT_THAT(status.error().text, HasSubstr("parameter"));
  return status.error().text;
}

TEST(ParameterH5, ValuesThatWereNeverWrittenAreRefused) {
  EXPECT_THAT(refusal(made([](hid_t target) {
                H5Dclose(dataset(target, {1 << 14, 1 << 14}));
              })),
              HasSubstr("does not hold all values of parameter 'W'"));
  EXPECT_THAT(refusal(made([](hid_t target) {
                H5Dclose(dataset(target, {1 << 14, 1 << 14}, deflated_chunks({1 << 10, 1 << 10})));
              })),
              HasSubstr("does not hold all values of parameter 'W'"));
}

TEST(ParameterH5, HugeDimensionsAreRefused) {
  for (const std::vector<hsize_t>& shape : {std::vector<hsize_t>{hsize_t{1} << 40},
                                            {hsize_t{1} << 20, hsize_t{1} << 20},
                                            {hsize_t{1} << 32, 1, hsize_t{1} << 31}})
    EXPECT_THAT(refusal(made([&](hid_t target) {
                  const hid_t creation = deflated_chunks(std::vector<hsize_t>(shape.size(), 1));
                  H5Dclose(dataset(target, shape, creation));
                })),
                HasSubstr("W' has"));
  EXPECT_FALSE(read(made([](hid_t target) {
                 H5Dclose(dataset(target, std::vector<hsize_t>(limits::kRankCount + 1, 1)));
               })).ok());
}

/// 12 numbers in the chunks of `creation`, of which the first is stored as `packed`.
Bytes file_of_one_chunk(hid_t creation, const std::string& packed) {
  return made([&](hid_t target) {
    const hsize_t shape = 12, unlimited = H5S_UNLIMITED, offset = 0;
    const hid_t space = H5Screate_simple(1, &shape, &unlimited);
    const hid_t values = H5Dcreate2(target, "W", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ASSERT_GE(H5Dwrite_chunk(values, H5P_DEFAULT, 0, &offset, packed.size(), packed.data()), 0);
    H5Dclose(values);
    H5Sclose(space);
  });
}

TEST(ParameterH5, ChunksThatUnpackToMoreThanTheValuesAreRefused) {
  // 12 numbers in a chunk that is 256 MiB large once it is unpacked: a file of 256 KiB.
  constexpr std::size_t kChunkBytes = std::size_t{256} << 20;
  const Bytes file = file_of_one_chunk(deflated_chunks({kChunkBytes / sizeof(float)}), packed_zeros(256));
  ASSERT_LT(file.size(), std::size_t{1} << 20);
  EXPECT_THAT(refusal(file), HasSubstr("stores parameter 'W' in chunks that are larger than it is"));
}

TEST(ParameterH5, ChunksThatUnpackToMoreThanTheySayAreRefused) {
  // 256 MiB once they are unpacked, and the chunks say that they are small.
  EXPECT_THAT(refusal(file_of_one_chunk(deflated_chunks({64}), packed_zeros(256))),
              HasSubstr("stores parameter 'W' in more bytes than it can have"));
  constexpr hsize_t kChunkFloats = 1 << 17;  // 512 KiB: more than is stored
  EXPECT_THAT(refusal(file_of_one_chunk(deflated_chunks({kChunkFloats}), packed_zeros(256))),
              HasSubstr("has a chunk of parameter 'W' that does not unpack to what a chunk holds"));
}

TEST(ParameterH5, ChunksThatUnpackToLessThanTheySayAreRefused) {
  // HDF5 would read behind what it unpacked.
  const std::string nothing("\x78\x9c\x03\x00\x00\x00\x00\x01", 8);
  EXPECT_THAT(refusal(file_of_one_chunk(deflated_chunks({12}), nothing)),
              HasSubstr("has a chunk of parameter 'W' that does not unpack to what a chunk holds"));
}

TEST(ParameterH5, AStreamInAStreamIsRefused) {
  const hid_t creation = deflated_chunks({12});
  H5Pset_deflate(creation, 9);
  EXPECT_THAT(refusal(file_of_one_chunk(creation, packed_zeros(1))),
              HasSubstr("compresses parameter 'W' by an unusual method: filter 1 'deflate', twice"));
}

TEST(ParameterH5, AMultitudeOfChunksIsRefused) {
  EXPECT_THAT(refusal(made([](hid_t target) {
                const hid_t values = dataset(target, {1 << 18}, deflated_chunks({2}));
                const std::string packed(12, '\0');
                for (hsize_t offset = 0; offset < 2048; offset += 2)
                  ASSERT_GE(H5Dwrite_chunk(values, H5P_DEFAULT, 0, &offset, packed.size(), packed.data()), 0);
                H5Dclose(values);
              })),
              HasSubstr("stores parameter 'W' in too many chunks"));
}

TEST(ParameterH5, MoreBytesThanTheValuesCanHaveAreRefused) {
  // One chunk of the right size, but what is stored for it could unpack to 12 GiB.
  const std::string packed(12 << 20, '\x5a');
  EXPECT_THAT(refusal(made([&](hid_t target) {
                const hsize_t offset = 0;
                const hid_t values = dataset(target, {1 << 14}, deflated_chunks({1 << 14}));
                ASSERT_GE(H5Dwrite_chunk(values, H5P_DEFAULT, 0, &offset, packed.size(), packed.data()), 0);
                H5Dclose(values);
              })),
              HasSubstr("stores parameter 'W' in more bytes than it can have"));
}

TEST(ParameterH5, PackedValuesThatAreTrueAreRead) {
  // As the usual tools write them: packed, shuffled, with checksums before or behind the packing, or none.
  const std::vector<std::function<void(hid_t)>> kinds = {
      [](hid_t) {}, [](hid_t creation) { H5Pset_deflate(creation, 9); },
      [](hid_t creation) { H5Pset_shuffle(creation), H5Pset_deflate(creation, 4); },
      [](hid_t creation) { H5Pset_fletcher32(creation), H5Pset_deflate(creation, 4); },
      [](hid_t creation) {
        H5Pset_shuffle(creation), H5Pset_deflate(creation, 4), H5Pset_fletcher32(creation);
      }};
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    std::vector<double> numbers(1000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i) / 8;
    ParameterTable table({"W"});
    const Bytes file = made([&](hid_t target) {
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      const std::array<hsize_t, 2> chunk = {3, 40};
      H5Pset_chunk(creation, 2, chunk.data());
      kinds[kind](creation);
      const hid_t values = dataset(target, {10, 100}, creation, H5T_IEEE_F64BE);
      H5Dwrite(values, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data());
      H5Dclose(values);
    });
    const Status status = read_parameter_h5(file, "parameter.h5", table);
    ASSERT_TRUE(status.ok()) << kind << ": " << status.error().text;
    EXPECT_EQ(*table.take().at("W").values, std::vector<float>(numbers.begin(), numbers.end())) << kind;
  }
}

TEST(ParameterH5, NothingOutsideTheFileIsRead) {
  EXPECT_THAT(refusal(made([](hid_t target) {
                const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
                H5Pset_external(creation, "/etc/passwd", 0, 48);
                H5Dclose(dataset(target, {12}, creation));
              })),
              HasSubstr("stores parameter 'W' in another file"));
  EXPECT_THAT(refusal(made([](hid_t target) {
                H5Lcreate_external("/etc/passwd", "/W", target, "W", H5P_DEFAULT, H5P_DEFAULT);
              })),
              HasSubstr("has a link to another place: 'W'"));
  EXPECT_THAT(refusal(made([](hid_t target) {
                const hsize_t shape = 12;
                const hid_t space = H5Screate_simple(1, &shape, nullptr),
                            creation = H5Pcreate(H5P_DATASET_CREATE);
                H5Pset_virtual(creation, space, "/etc/passwd", "/W", space);
                H5Dclose(dataset(target, {12}, creation));
              })),
              HasSubstr("stores parameter 'W' in an unusual way"));
}

TEST(ParameterH5, LinksInCirclesAreRefused) {
  EXPECT_THAT(refusal(made([](hid_t target) {
                H5Lcreate_soft("/b", target, "a", H5P_DEFAULT, H5P_DEFAULT);
                H5Lcreate_soft("/a", target, "b", H5P_DEFAULT, H5P_DEFAULT);
              })),
              HasSubstr("has a link to another place: 'a'"));
  EXPECT_THAT(refusal(made([](hid_t target) {
                const hid_t group = H5Gcreate2(target, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
                H5Lcreate_hard(target, "/group", group, "again", H5P_DEFAULT, H5P_DEFAULT);
                H5Gclose(group);
              })),
              HasSubstr("has group 'group/again' in two places"));
  EXPECT_THAT(refusal(made([](hid_t target) {
                H5Lcreate_hard(target, "/", target, "root", H5P_DEFAULT, H5P_DEFAULT);
              })),
              HasSubstr("in two places"));
}

TEST(ParameterH5, DeepGroupsAreRefused) {
  const auto nested = [](int depth) {
    return made([&](hid_t target) {
      std::string name;
      for (int i = 0; i < depth; ++i) {
        name += "/g";
        H5Gclose(H5Gcreate2(target, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      }
    });
  };
  EXPECT_TRUE(read(nested(32)).ok());
  EXPECT_THAT(refusal(nested(33)), HasSubstr("has groups nested more than 32 deep"));
  EXPECT_THAT(refusal(nested(200)), HasSubstr("has groups nested more than 32 deep"));
}

TEST(ParameterH5, OtherValuesThanNumbersAreRefused) {
  const auto of_type = [](hid_t type) {
    return made([&](hid_t target) { H5Dclose(dataset(target, {12}, H5P_DEFAULT, type)); });
  };
  const hid_t text = H5Tcopy(H5T_C_S1), huge = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, H5T_VARIABLE);
  H5Tset_size(huge, std::size_t{1} << 30);
  for (const hid_t type : {text, huge, H5Tvlen_create(H5T_IEEE_F32LE), H5Tcreate(H5T_OPAQUE, 1 << 20)})
    EXPECT_THAT(refusal(of_type(type)), HasSubstr("parameter 'W' does not hold numbers"));
}

TEST(ParameterH5, UnusualFiltersAreRefused) {
  EXPECT_THAT(refusal(made([](hid_t target) {
                const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
                const hsize_t chunk = 12;
                H5Pset_chunk(creation, 1, &chunk);
                H5Pset_nbit(creation);
                H5Dclose(dataset(target, {12}, creation));
              })),
              HasSubstr("compresses parameter 'W' by an unusual method: filter 5 'nbit'"));
}

TEST(ParameterH5, ManyAttributesCostLittle) {
  const Bytes file = made([](hid_t target) {
    const std::vector<float> numbers(12, 1.0F);
    const hid_t values = dataset(target, {12}), space = H5Screate(H5S_SCALAR);
    H5Dwrite(values, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data());
    for (int i = 0; i < 8'000; ++i) {
      const std::string name = "attribute" + std::to_string(i);
      H5Aclose(H5Acreate2(values, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    }
    H5Sclose(space);
    H5Dclose(values);
  });
  const std::int64_t before_kib = most_memory_kib();
  EXPECT_TRUE(read(file).ok());
  EXPECT_LT(most_memory_kib() - before_kib, kKeptKib);
}

}  // namespace
}  // namespace noren::worker::nnp
