// noren show: everything about one API, its key included.
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {

namespace json = boost::json;

Status show(const Hooks& hooks, const Common& common, const IdOption& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  const std::string path = "apis/" + encoded(options.id);
  ASSIGN_OR_RETURN(json::object api, session.ask("GET", path));
  ASSIGN_OR_RETURN(const json::object keys, session.ask("GET", path + "/keys"));
  const json::value* list = keys.if_contains("keys");
  if (list != nullptr && list->is_array() && !list->get_array().empty() &&
      list->get_array().front().is_object())
    api["key"] = text_of(list->get_array().front().get_object(), "key");
  print_api(api, common.form);
  return Ok{};
}

}  // namespace noren::cli
