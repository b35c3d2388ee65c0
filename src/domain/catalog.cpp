#include "domain/catalog.h"

#include "base/check.h"

namespace noren {

std::string_view execution_type_name(ExecutionType type) {
  return type == ExecutionType::kPerRequest ? "per-request" : "dedicated";
}

Catalog::Catalog(std::vector<PublishedApi> apis) : apis_(std::move(apis)) {
  by_id_.reserve(apis_.size());
  for (std::size_t i = 0; i < apis_.size(); ++i) {
    const bool inserted = by_id_.emplace(apis_[i].id, i).second;
    CHECK(inserted);  // ids are unique in the store
  }
}

const PublishedApi* Catalog::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &apis_[found->second];
}

}  // namespace noren
