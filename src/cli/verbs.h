// The verbs: what each was asked, and the function that does it. Each stands in a file of its own;
// program.cpp reads the command line into these.
#pragma once

#include <string>
#include <vector>

#include "cli/cli.h"

namespace noren::cli {

enum class Form { kText, kJson };

/// How to find the server, as far as the command line says.
struct Where {
  std::string url;
  std::string token;
  std::string data;
  std::string certificate_authority;
};

struct Common {
  Where where;
  Form form = Form::kText;
};

class Session;

/// What publish and update can set, as it was given; empty: not given.
struct SettingOptions {
  std::string type, instance_type, instances, threads, batching, queue_limit, rate_limit, body_limit,
      deadline, keep_output_names;
  std::vector<std::string> schedule;
  bool always = false;
};
struct PublishOptions {
  std::string file, job, project, name, id, key;
  std::vector<std::string> input_rules;
  SettingOptions settings;
  std::string replace;  ///< the id of the API whose model this becomes
  bool accept_changes = false;
};
struct UpdateOptions {
  std::string id, name;
  SettingOptions settings;
};
struct CallOptions {
  std::string target, key, executor;
  std::vector<std::string> inputs;
};
struct InspectOptions {
  std::string file;
  std::vector<std::string> input_rules;
  bool layers = false;
};
struct ImportOptions {
  std::string path, project, name;
  std::vector<std::string> input_rules;
};
struct JobsOptions {
  std::string project;
  std::int64_t limit_count = 1'000;
};
struct JobOptions {
  std::string id;
  enum class Part { kFacts, kCurves, kEvaluation, kConfusion, kFiles, kSave } part = Part::kFacts;
  std::int64_t first_row = 0;
  std::int64_t rows_count = 20;
  std::string file, target;
};
struct ListOptions {
  std::int64_t limit_count = 1'000;
};
struct IdOption {
  std::string id;
};
struct RollbackOptions {
  std::string id, version;
};
struct DeleteOptions {
  std::string id, job, project;
  bool yes = false;
};

Status import(const Hooks& hooks, const Common& common, const ImportOptions& options);
Status jobs(const Hooks& hooks, const Common& common, const JobsOptions& options);
Status job(const Hooks& hooks, const Common& common, const JobOptions& options);
Status publish(const Hooks& hooks, const Common& common, const PublishOptions& options);
Status update(const Hooks& hooks, const Common& common, const UpdateOptions& options);
Status list(const Hooks& hooks, const Common& common, const ListOptions& options);
/// The uploaded model becomes the next version of the API that the options name.
Status replace(const Session& session, const Common& common, const PublishOptions& options,
               const std::string& job_id);
Status versions(const Hooks& hooks, const Common& common, const IdOption& options);
Status roll_back(const Hooks& hooks, const Common& common, const RollbackOptions& options);
Status show(const Hooks& hooks, const Common& common, const IdOption& options);
Status switch_on(const Hooks& hooks, const Common& common, const IdOption& options);
Status switch_off(const Hooks& hooks, const Common& common, const IdOption& options);
Status remove(const Hooks& hooks, const Common& common, const DeleteOptions& options);
Status call(const Hooks& hooks, const Common& common, const CallOptions& options);
Status inspect(const Hooks& hooks, const Common& common, const InspectOptions& options);

}  // namespace noren::cli
