// Bridges between the threads: what one side's interface asks for, moved to the thread where the other side
// answers.
#pragma once

#include "server/blob/blob_store.h"
#include "server/control_plane/serving.h"
#include "server/control_plane/task_thread.h"
#include "server/control_plane/usage/usage.h"
#include "server/data_plane/data_plane.h"
#include "server/data_plane/quota_source.h"
#include "server/event_loop/event_loop.h"
#include "server/instances/instance.h"

namespace noren::app {

/// The control plane's view of the data plane: every call becomes work of the event loop.
class LoopServing final : public server::Serving {
 public:
  LoopServing(server::EventLoop& loop, server::InstanceHost& host) : loop_(loop), host_(host) {}
  /// Before the loop runs.
  void set_plane(server::DataPlane& plane) { plane_ = &plane; }

  void apply(CatalogSnapshot catalog, std::function<void()> applied) override;
  void import(server::ImportRequest request,
              std::function<void(Result<server::ImportedModel>)> done) override;
  void try_version(VersionToTry version, std::shared_ptr<HangUp> hang_up,
                   std::function<void(Status)> done) override;
  void drop_version(const std::string& api_id) override;
  void unpack(server::ImportRequest request,
              std::function<void(Result<server::UnpackedResults>)> done) override;
  void describe(std::vector<std::string> api_ids,
                std::function<void(std::vector<server::ServingState>)> done) override;

 private:
  void inspect(server::InspectSpec spec, std::function<void(Result<server::Inspection>)> done);

  server::EventLoop& loop_;
  server::InstanceHost& host_;
  server::DataPlane* plane_ = nullptr;
};

/// The data plane's leases: SQL on the control thread, answers on the event loop.
class ControlQuota final : public server::QuotaSource {
 public:
  ControlQuota(server::EventLoop& loop, server::TaskThread& control, server::Usage& usage)
      : loop_(loop), control_(control), usage_(usage) {}

  void lease(const std::string& api_id, std::uint32_t wanted_count,
             std::function<void(Result<server::QuotaGrant>)> done) override;
  void give_back(const std::string& api_id, std::uint32_t permits_count) override;

 private:
  server::EventLoop& loop_;
  server::TaskThread& control_;
  server::Usage& usage_;
};

/// Reads packages on `reader`: the disk never holds up a request.
server::PackageLoader package_loader(server::EventLoop& loop, server::TaskThread& reader,
                                     const server::BlobStore& blobs);

std::vector<server::UsageRecord> usage_records(const std::vector<server::UsageRow>& rows);
server::UsageSink usage_sink(server::EventLoop& loop, server::TaskThread& control, server::Usage& usage);
server::InstanceTimeSink instance_time_sink(server::EventLoop& loop, server::TaskThread& control,
                                            server::Usage& usage);

}  // namespace noren::app
