// server/store/schema.h - The schema: the SQL files of schema/, embedded at build, in order.
// Read by the SQL stores at start. A file, once released, is never changed: a change is a new file with the
// next number.
#pragma once

#include <span>
#include <string_view>

namespace noren::server {

struct SchemaFile {
  int version = 0;        ///< the number that the file's name begins with
  std::string_view name;  ///< "0001_first"
  std::string_view sql;
};

std::span<const SchemaFile> schema_files();

}  // namespace noren::server
