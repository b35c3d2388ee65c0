#include "app/bridges.h"

#include "base/log.h"

namespace noren::app {

using namespace server;

namespace {

InspectSpec inspect_spec(ImportRequest request, InspectSpec::Task task) {
  InspectSpec spec;
  spec.file = std::move(request.file);
  spec.file_name = std::move(request.file_name);
  spec.input_rules = std::move(request.input_rules);
  spec.task = task;
  spec.hang_up = std::move(request.hang_up);
  return spec;
}

}  // namespace

void LoopServing::apply(CatalogSnapshot catalog, std::function<void()> applied) {
  loop_.post([this, catalog = std::move(catalog), applied = std::move(applied)] {
    plane_->apply(catalog);
    applied();
  });
}

void LoopServing::inspect(InspectSpec spec, std::function<void(Result<Inspection>)> done) {
  loop_.post([this, shared = std::make_shared<InspectSpec>(std::move(spec)), done = std::move(done)] {
    host_.inspect(std::move(*shared), done);
  });
}

void LoopServing::import(ImportRequest request, std::function<void(Result<ImportedModel>)> done) {
  inspect(inspect_spec(std::move(request), InspectSpec::Task::kModel),
          [done = std::move(done)](Result<Inspection> inspection) {
            if (!inspection.ok()) return done(inspection.error());
            done(ImportedModel{std::move(inspection->description_json), std::move(inspection->package)});
          });
}

void LoopServing::unpack(ImportRequest request, std::function<void(Result<UnpackedResults>)> done) {
  inspect(inspect_spec(std::move(request), InspectSpec::Task::kResults),
          [done = std::move(done)](Result<Inspection> inspection) {
            if (!inspection.ok()) return done(inspection.error());
            done(UnpackedResults{std::move(inspection->description_json), std::move(inspection->package)});
          });
}

void LoopServing::try_version(VersionToTry version, std::shared_ptr<HangUp> hang_up,
                              std::function<void(Status)> done) {
  loop_.post([this, version = std::move(version), hang_up = std::move(hang_up), done = std::move(done)] {
    const auto is_tried = std::make_shared<bool>(false);
    plane_->try_version(version, [is_tried, done](const Status& tried) {
      *is_tried = true;
      done(tried);
    });
    if (hang_up == nullptr || *is_tried) return;
    hang_up->listen([this, is_tried, id = version.api_id] {
      loop_.post([this, is_tried, id] {
        if (!*is_tried) plane_->drop_version(id);  // an API has one trial at a time: it is this one
      });
    });
  });
}

void LoopServing::drop_version(const std::string& api_id) {
  loop_.post([this, api_id] { plane_->drop_version(api_id); });
}

void LoopServing::describe(std::vector<std::string> api_ids,
                           std::function<void(std::vector<ServingState>)> done) {
  loop_.post([this, ids = std::move(api_ids), done = std::move(done)] {
    std::vector<ServingState> states;
    for (const std::string& id : ids) {
      const auto status = plane_->status(id);
      if (status)
        states.push_back(
            {std::string(instance_state_word(status->state)), status->reason, status->ready_count});
      else
        states.push_back({std::string(instance_state_word(InstanceState::kStopped)), "", 0});
    }
    done(std::move(states));
  });
}

void ControlQuota::lease(const std::string& api_id, std::uint32_t wanted_count,
                         std::function<void(Result<QuotaGrant>)> done) {
  control_.post([this, api_id, wanted_count, done = std::move(done)] {
    const auto leased = usage_.lease(api_id, wanted_count);
    Result<QuotaGrant> grant = leased.ok()
                                   ? Result<QuotaGrant>(QuotaGrant{static_cast<std::uint32_t>(*leased)})
                                   : Result<QuotaGrant>(leased.error());
    loop_.post([done, grant = std::move(grant)] { done(grant); });
  });
}

void ControlQuota::give_back(const std::string& api_id, std::uint32_t permits_count) {
  control_.post([this, api_id, permits_count] {
    const Status given = usage_.give_back(api_id, permits_count);
    if (!given.ok())
      log(LogLevel::kWarning, "quota.not_given_back", {{"api", api_id}, {"error", describe(given.error())}});
  });
}

PackageLoader package_loader(EventLoop& loop, TaskThread& reader, const BlobStore& blobs) {
  return
      [&loop, &reader, &blobs](const std::string& package_hash, std::function<void(Result<Package>)> done) {
        reader.post([&loop, &blobs, package_hash, done = std::move(done)] {
          auto loaded = blobs.load(package_hash);
          Result<Package> package =
              loaded.ok() ? Result<Package>(std::make_shared<const UniqueFd>(std::move(*loaded)))
                          : Result<Package>(loaded.error());
          loop.post([done, package = std::move(package)] { done(package); });
        });
      };
}

std::vector<UsageRecord> usage_records(const std::vector<UsageRow>& rows) {
  std::vector<UsageRecord> records;
  records.reserve(rows.size());
  for (const UsageRow& row : rows) {
    const auto count = [&row](UsageClass outcome) {
      return static_cast<std::int64_t>(row.counts[static_cast<std::size_t>(outcome)]);
    };
    records.push_back(
        {row.api_number,
         row.utc_day,
         "",
         {count(UsageClass::kSuccess), count(UsageClass::kRefused), count(UsageClass::kInvalid),
          count(UsageClass::kTimeout), count(UsageClass::kInternal), count(UsageClass::kAbandoned)}});
  }
  return records;
}

UsageSink usage_sink(EventLoop& loop, TaskThread& control, Usage& usage) {
  return [&loop, &control, &usage](std::vector<UsageRow> rows, std::function<void(Status)> done) {
    control.post([&loop, &usage, rows = std::move(rows), done = std::move(done)] {
      const Status stored = usage.put(usage_records(rows));
      loop.post([done, stored] { done(stored); });
    });
  };
}

InstanceTimeSink instance_time_sink(EventLoop& loop, TaskThread& control, Usage& usage) {
  return [&loop, &control, &usage](std::vector<InstanceTime> rows, std::function<void(Status)> done) {
    control.post([&loop, &usage, rows = std::move(rows), done = std::move(done)] {
      const Status stored = usage.put_instance_time(rows);
      loop.post([done, stored] { done(stored); });
    });
  };
}

}  // namespace noren::app
