// The command line itself: verbs, options and help. The only file that knows the library that parses it.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/session.h"
#include "cli/verbs.h"

namespace noren::cli {
namespace {

constexpr const char* kAbout =
    "noren publishes trained models (.nnp, .onnx) as web APIs: upload a file, get a URL and a key.\n"
    "\n"
    "  noren serve --data DIR --listen HOST:PORT    run a server\n"
    "  noren publish result.nnp                     publish a model on it\n"
    "  noren call ID x=5,3.5,1.3,0.3                ask it something";

constexpr const char* kFooter =
    "Commands find the server by --url and --token, by NOREN_URL and NOREN_TOKEN, or by the admin.json in\n"
    "the data folder of a server on this machine (--data DIR, else ./data).\n"
    "Exit status: 0 done; 2 wrong use or input; 3 not found; 4 exists already; 5 not signed in; 6 not "
    "allowed;\n"
    "7 not possible in this state; 8 not supported; 9 damaged file; 10 too large; 11 quota, rate or disk "
    "full;\n"
    "12 took too long; 13 no server, or not right now; 63 a fault of noren itself.";

/// What an option is given, and no more: what it can't stand beside is said when somebody tries.
class HelpFormatter : public CLI::Formatter {
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string kind = option->get_type_size() == 0 ? "" : option->get_type_name();
    for (const char* check : {":{", ":INT in"}) kind = kind.substr(0, kind.find(check));
    if (!kind.empty()) kind.insert(0, " ");
    return kind + (option->get_expected_max() == CLI::detail::expected_max_vector_size ? " ..." : "");
  }
};

/// What is wrong with a command line, in the order in which it was typed.
std::string fault_of(const CLI::App& app, const CLI::ParseError& failure, const std::string& first) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  if (verbs.empty())
    return first.empty() ? "give a verb; noren --help lists them"
                         : fmt::format("there is no verb '{}'; noren --help lists them", first);
  if (dynamic_cast<const CLI::ExtrasError*>(&failure) == nullptr) return failure.what();
  return fmt::format("not understood: {}; noren {} --help lists what there is",
                     fmt::join(app.remaining(true), " "), verbs.front()->get_name());
}

struct Program {
  explicit Program(const Hooks& given) : hooks(given) {}

  const Hooks& hooks;
  CLI::App app{kAbout, "noren"};
  Common common;
  bool json = false;
  PublishOptions publish_options;
  UpdateOptions update_options;
  CallOptions call_options;
  InspectOptions inspect_options;
  ImportOptions import_options;
  JobsOptions jobs_options;
  JobOptions job_options;
  ListOptions list_options;
  IdOption id_option;
  DeleteOptions delete_options;
  RollbackOptions rollback_options;
  std::string config_path;
  std::vector<std::pair<std::string, std::string>> serve_values;
  std::function<Status()> chosen;

  CLI::App* add_verb(const std::string& name, const std::string& help) {
    CLI::App* verb = app.add_subcommand(name, help);
    verb->set_help_flag("-h,--help", "Show this text");
    return verb;
  }

  void add_json(CLI::App* verb) {
    verb->add_flag("--json", json, "Print one JSON object on stdout, everything else on stderr");
  }

  CLI::App* add_server_verb(const std::string& name, const std::string& help) {
    CLI::App* verb = add_verb(name, help);
    add_json(verb);
    verb->add_option("--url", common.where.url, "The server's URL (else NOREN_URL)")->type_name("URL");
    verb->add_option("--token", common.where.token, "A token of the management API (else NOREN_TOKEN)")
        ->type_name("TOKEN");
    verb->add_option("--data", common.where.data,
                     "Data folder of a server on this machine: its admin.json is used")
        ->type_name("DIR");
    verb->add_option("--tls-ca", common.where.certificate_authority,
                     "Certificates (PEM) to trust for https (else NOREN_TLS_CA, and the system's)")
        ->type_name("FILE");
    return verb;
  }

  template <typename Options>
  void runs(CLI::App* verb, Status (*function)(const Hooks&, const Common&, const Options&),
            const Options& options) {
    verb->callback([this, function, &options] {
      chosen = [this, function, &options] {
        common.form = json ? Form::kJson : Form::kText;
        return function(hooks, common, options);
      };
    });
  }

  void add_serve() {
    CLI::App* verb = add_verb("serve", "Run a server on this machine until it gets SIGTERM or SIGINT");
    for (const ServeOption& option : hooks.serve_options) {
      const std::string help = option.default_text.empty()
                                   ? option.help
                                   : fmt::format("{} [default: {}]", option.help, option.default_text);
      verb->add_option_function<std::string>(
              "--" + option.name,
              [this, name = option.name](const std::string& text) { serve_values.emplace_back(name, text); },
              help)
          ->type_name(option.value_name);
    }
    verb->add_option("--config", config_path, "A TOML file of these options; the command line wins over it")
        ->type_name("FILE");
    verb->footer(
        "DIR/admin.json (mode 0600) tells the other commands on this machine where the server is and opens "
        "it.\n"
        "The master key, which encrypts the keys of the APIs, is DIR/master.key or NOREN_MASTER_KEY: keep a "
        "copy.");
    verb->callback([this] { chosen = [this] { return hooks.serve(config_path, serve_values); }; });
  }

  static void add_switch(CLI::App* verb, const char* name, std::string& value, const char* help) {
    verb->add_option(name, value, help)->check(CLI::IsMember({"on", "off"}))->type_name("on|off");
  }

  static void add_settings(CLI::App* verb, SettingOptions& o) {
    verb->add_option(
            "--type", o.type,
            "per-request: runs when a request comes; dedicated: instances of its own, always or by a "
            "schedule")
        ->check(CLI::IsMember({"per-request", "dedicated"}))
        ->capture_default_str()
        ->type_name("TYPE");
    CLI::Option* gpu =
        verb->add_flag("--gpu{gpu},--cpu{cpu}", o.instance_type, "Instances run on a GPU, or on CPU");
    gpu->take_last();
    for (const auto& [name, field, type_name, help] :
         {std::tuple("--instances", &o.instances, "N", "Dedicated: how many run side by side"),
          std::tuple("--threads", &o.threads, "N", "Dedicated: cores that one request may use"),
          std::tuple("--queue-limit", &o.queue_limit, "N", "Requests that may wait; more get 429"),
          std::tuple("--rate-limit", &o.rate_limit, "N/s",
                     "Requests a second; more get 429 ('off': no limit)"),
          std::tuple("--body-limit", &o.body_limit, "SIZE", "Largest request body, such as 10MiB"),
          std::tuple("--deadline", &o.deadline, "TIME", "Longest time of a request, such as 30s")})
      verb->add_option(name, *field, help)->type_name(type_name);
    add_switch(verb, "--batching", o.batching, "Whether requests that wait run together");
    CLI::Option* schedule =
        verb->add_option("--schedule", o.schedule,
                         "Dedicated: runs in this weekly window (UTC), such as \"Mon-Fri 09:00-17:00\" "
                         "(repeatable, 1 to 7)")
            ->allow_extra_args(false)
            ->type_name("WINDOW");
    verb->add_flag("--always", o.always, "Dedicated: runs always")->excludes(schedule);
  }

  void add_publish() {
    CLI::App* verb = add_server_verb("publish", "Publish a model and print its id, URL, key, type and state");
    PublishOptions& o = publish_options;
    verb->add_option("file", o.file, "A .nnp or .onnx file")->type_name("FILE");
    verb->add_option("--job", o.job, "In place of a file: a job that was imported")->type_name("ID");
    o.settings.type = "per-request";
    add_settings(verb, o.settings);
    verb->add_option("--project", o.project, "Name of the project that it belongs to")->type_name("P");
    verb->add_option("--name", o.name, "Its own name (else the file's)")->type_name("N");
    verb->add_option("--id", o.id, "Keep this id, so that callers' URLs change in the host only")
        ->type_name("OLD_ID");
    verb->add_option("--key", o.key, "Keep this key, so that callers keep theirs")->type_name("OLD_KEY");
    verb->add_option(
            "--input", o.input_rules,
            "How a file becomes an input of a plain ONNX model, such as x=image:rgb:1/255 or x=audio:unit "
            "(repeatable)")
        ->allow_extra_args(false)
        ->type_name("RULE");
    verb->add_flag("--keep-output-names{on}", o.settings.keep_output_names,
                   "Answer with the model's own output names (y' stays y')");
    add_replace(verb);
    runs(verb, publish, o);
  }

  void add_replace(CLI::App* verb) {
    CLI::Option* replaced =
        verb->add_option(
                "--replace", publish_options.replace,
                "Become the next version of this API: the new model is loaded and tried beside the old "
                "one, then serves behind the same URL and key")
            ->type_name("ID");
    for (const char* name :
         {"--type", "--id", "--key", "--keep-output-names", "--gpu", "--instances", "--threads", "--schedule",
          "--always", "--queue-limit", "--rate-limit", "--body-limit", "--deadline", "--batching"})
      replaced->excludes(verb->get_option(name));
    verb->add_flag("--accept-changes", publish_options.accept_changes,
                   "Replace the model also where callers will notice (other inputs or outputs)")
        ->needs(replaced);
  }

  void add_versions() {
    CLI::App* kept = add_server_verb("versions", "List the versions of an API that are kept, newest first");
    kept->add_option("id", id_option.id, "The API's id")->required()->type_name("ID");
    runs(kept, versions, id_option);
    CLI::App* back = add_server_verb("rollback", "Let an earlier version of an API serve again");
    back->add_option("id", rollback_options.id, "The API's id")->required()->type_name("ID");
    back->add_option("version", rollback_options.version, "Which one (else the one before)")
        ->type_name("VERSION");
    runs(back, roll_back, rollback_options);
  }

  void add_apis() {
    CLI::App* verb = add_server_verb("list", "List what is published, newest first");
    verb->add_option("--limit", list_options.limit_count, "At most so many")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N");
    runs(verb, list, list_options);
    for (const auto& [name, help, function] :
         {std::tuple("show", "Show an API: URL, key, state, what it has served", &show),
          std::tuple("on", "Let an API answer", &switch_on),
          std::tuple("off", "Let an API say 503 until it is switched on again", &switch_off)}) {
      CLI::App* each = add_server_verb(name, help);
      each->add_option("id", id_option.id, "The API's id")->required()->type_name("ID");
      runs(each, function, id_option);
    }
    CLI::App* change = add_server_verb("update", "Change the settings of an API while it serves");
    change->add_option("id", update_options.id, "The API's id")->required()->type_name("ID");
    change->add_option("--name", update_options.name, "Its own name")->type_name("N");
    add_settings(change, update_options.settings);
    add_switch(change, "--keep-output-names", update_options.settings.keep_output_names,
               "Whether to answer with the model's own output names (y' stays y')");
    runs(change, update, update_options);
    CLI::App* removal = add_server_verb(
        "delete", "Delete an API, its keys, and the model if nothing else uses it; or a job or project");
    removal->add_option("id", delete_options.id, "The API's id")->type_name("ID");
    removal->add_option("--job", delete_options.job, "In its place: an imported job that no API uses")
        ->type_name("ID");
    removal->add_option("--project", delete_options.project, "In its place: a project with all its jobs")
        ->type_name("P");
    removal->add_flag("--yes", delete_options.yes, "Do not ask");
    runs(removal, remove, delete_options);
  }

  void add_import() {
    CLI::App* verb = add_server_verb(
        "import", "Import a model, a result folder or a zip of one, as a project with its jobs");
    ImportOptions& o = import_options;
    verb->add_option("path", o.path, "A .nnp, .onnx or .zip file, or a folder (NAME.files, or one job in it)")
        ->required()
        ->type_name("PATH");
    verb->add_option("--project", o.project, "Name of the project (else the folder's)")->type_name("P");
    verb->add_option("--name", o.name, "Name of the job, where there is one (else its folder's)")
        ->type_name("N");
    verb->add_option("--input", o.input_rules, "As for publish")->allow_extra_args(false)->type_name("RULE");
    runs(verb, import, o);
  }

  void add_jobs() {
    CLI::App* list_verb = add_server_verb("jobs", "List what is imported, newest first");
    list_verb->add_option("--project", jobs_options.project, "Of this project only")->type_name("P");
    list_verb->add_option("--limit", jobs_options.limit_count, "At most so many")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N");
    runs(list_verb, jobs, jobs_options);
    CLI::App* verb = add_server_verb("job", "Show an imported job and what its training recorded");
    JobOptions& o = job_options;
    verb->add_option("id", o.id, "The job's id")->required()->type_name("ID");
    using Part = JobOptions::Part;
    std::vector<CLI::Option*> parts;  // one at a time
    for (const auto& [name, help, part] :
         {std::tuple("--curves", "The learning curves, epoch by epoch", Part::kCurves),
          std::tuple("--evaluation", "Rows of the evaluation", Part::kEvaluation),
          std::tuple("--confusion", "The confusion matrices with their measures", Part::kConfusion),
          std::tuple("--files", "The files that came with it", Part::kFiles)})
      parts.push_back(verb->add_flag_callback(
          name, [&o, part = part] { o.part = part; }, help));
    verb->add_option("--from", o.first_row, "First row of --evaluation, from 0")
        ->check(CLI::Range(0, 1'000'000))
        ->type_name("N");
    verb->add_option("--rows", o.rows_count, "How many rows of --evaluation")
        ->check(CLI::Range(1, 1'000))
        ->type_name("N");
    parts.push_back(verb->add_option("--save", o.file, "Save this one of --files")
                        ->type_name("NAME")
                        ->each([&o](const std::string&) { o.part = Part::kSave; }));
    for (CLI::Option* one : parts)
      for (CLI::Option* other : parts)
        if (one != other) one->excludes(other);
    verb->add_option("--to", o.target, "Where --save puts it (else under its own name)")->type_name("FILE");
    runs(verb, job, o);
  }

  void add_call() {
    CLI::App* verb = add_server_verb("call", "Send one request to an API and print the answer");
    CallOptions& o = call_options;
    verb->add_option("target", o.target, "The API's id, or its whole URL together with --key")
        ->required()
        ->type_name("ID");
    verb->add_option(
            "inputs", o.inputs,
            "One for each input: NAME=5,3.5,1.3,0.3 or NAME=[[1],[2]] or NAME=@picture.png (or .json)")
        ->type_name("NAME=VALUE");
    verb->add_option("--key", o.key, "Call with this key")->type_name("KEY");
    verb->add_option("--executor", o.executor, "Which executor of the model (else its first)")
        ->type_name("NAME");
    runs(verb, call, o);
  }

  void add_inspect() {
    CLI::App* verb = add_verb("inspect", "Show what a model file is; needs no server");
    add_json(verb);
    InspectOptions& o = inspect_options;
    verb->add_option("file", o.file, "A .nnp or .onnx file")->required()->type_name("FILE");
    verb->add_flag("--layers", o.layers, "List every layer with its statistics");
    verb->add_option("--input", o.input_rules, "As for publish")->allow_extra_args(false)->type_name("RULE");
    runs(verb, inspect, o);
  }
};

}  // namespace

int run(int argc, char** argv, const Hooks& hooks) {
  Program program(hooks);
  CLI::App& app = program.app;
  app.set_help_flag("-h,--help", "Show this text");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", "noren " + hooks.version);
  app.footer(kFooter);
  app.require_subcommand(1);
  program.add_serve();
  program.add_publish();
  program.add_apis();
  program.add_versions();
  program.add_import();
  program.add_jobs();
  program.add_call();
  program.add_inspect();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& failure) {
    remark(fault_of(app, failure, argc > 1 ? argv[1] : ""));
    return exit_status_of(Code::kInvalidArgument);
  }
  const Status done = program.chosen();
  if (done.ok()) return 0;
  remark(done.error().text);
  if (!done.error().detail.empty() && done.error().code == Code::kInternal)
    remark("detail: " + done.error().detail);
  return exit_status_of(done.error().code);
}

}  // namespace noren::cli
