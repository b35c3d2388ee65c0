// What the verbs share: the server that they talk to, and how things are said to people and programs.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "cli/http_client.h"
#include "cli/verbs.h"

namespace noren::cli {

/// A server that was found, ready to be asked.
class Session {
 public:
  static Result<Session> find(const Hooks& hooks, const Where& where);

  /// One call of the management API; `path` begins behind /v1/management/. The answer's JSON object, or what
  /// the server said is wrong.
  Result<boost::json::object> ask(const std::string& method, const std::string& path) const;
  Result<boost::json::object> ask(const std::string& method, const std::string& path,
                                  const boost::json::object& body,
                                  const std::string& idempotency_key = {}) const;
  /// Up to `limit_count` rows of the list that `path` names, newest first; `query` begins with '&'.
  Result<boost::json::array> list(const std::string& path, std::int64_t limit_count,
                                  const std::string& query = {}) const;
  Result<boost::json::object> upload(const std::string& path, const std::string& file) const;
  /// An upload that may hold many models, which the server looks at one after the other.
  Result<boost::json::object> upload_many(const std::string& path, const std::string& file) const;
  /// The bytes of a file that the server keeps.
  Result<std::string> load(const std::string& path) const;

  const std::string& certificate_authority() const { return certificate_authority_; }

 private:
  Result<HttpAnswer> send_as_owner(HttpCall call) const;
  Result<boost::json::object> send_and_read(HttpCall call) const;
  Result<boost::json::object> object_of(const HttpAnswer& answer) const;
  ServerAddress server_;
  std::string certificate_authority_;
};

/// Nothing to say where this can be a model's file (or an archive of results), by its place and size alone.
Status check_model_file(const std::string& path);

/// Percent-encodes a part of a path or query.
std::string encoded(std::string_view text);

std::string text_of(const boost::json::object& object, std::string_view name);
/// The member where it is an object or a list, else an empty one.
const boost::json::object& object_in(const boost::json::object& object, std::string_view name);
const boost::json::array& list_in(const boost::json::object& object, std::string_view name);
/// A value for people: text without quotes, numbers in their shortest form.
std::string shown(const boost::json::value& value);
std::int64_t number_of(const boost::json::object& object, std::string_view name);

/// One line of JSON on stdout.
void print_json(const boost::json::object& object);
/// Text on stdout, as it is.
void print(std::string_view text);
/// A remark for a person, on stderr.
void remark(std::string_view text);

/// A row of "name  value" for each, aligned.
struct Line {
  std::string name, value;
};
void print_lines(const std::vector<Line>& lines);
/// An object's members as such rows, below a title; nothing for an empty object.
void print_members(const boost::json::object& object, const std::string& title);
/// Columns aligned by their widest cell; the first row is the head.
void print_table(const std::vector<std::vector<std::string>>& rows);

int exit_status_of(Code code);

/// Jobs as import and jobs print them.
void print_jobs(const boost::json::array& jobs);

/// An API as show and publish print it.
void print_api(const boost::json::object& api, Form form);

}  // namespace noren::cli
