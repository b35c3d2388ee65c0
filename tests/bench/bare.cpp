// The limit to measure against: Boost.Beast and ONNX Runtime in one process and one thread, with no feature
// of ours (no keys, no quota, no isolation, no batching, no bounds).
//
//   noren_bare serve PORT FOLDER          POST /iris, /lenet, /resnet, /audio
//   noren_bare loop FOLDER NAME BODY SECONDS    the same work without HTTP: prints runs a second
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "bare_model.h"

namespace noren::bench {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

const std::map<std::string, InputKind>& kinds() {
  static const std::map<std::string, InputKind> all = {{"iris", InputKind::kVector},
                                                       {"lenet", InputKind::kPng},
                                                       {"resnet", InputKind::kJpeg},
                                                       {"audio", InputKind::kWav}};
  return all;
}

using Models = std::map<std::string, std::unique_ptr<BareModel>, std::less<>>;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Models& models) : socket_(std::move(socket)), models_(models) {}

  void read() {
    parser_.emplace();
    parser_->body_limit(std::uint64_t{8} << 20);
    http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->answer();
    });
  }

 private:
  void answer() {
    auto& request = parser_->get();
    keep_alive_ = request.keep_alive();
    const auto target = request.target();
    const auto model = models_.find(std::string_view(target.data(), target.size()).substr(1));
    if (model == models_.end() || request.method() != http::verb::post) return reply("404 Not Found", "{}");
    const std::string& body = model->second->answer(request.body());
    if (body.empty()) return reply("400 Bad Request", "{}");
    reply("200 OK", body);
  }

  void reply(std::string_view status, std::string_view body) {
    out_.assign("HTTP/1.1 ").append(status).append("\r\nContent-Type: application/json\r\nContent-Length: ");
    out_.append(std::to_string(body.size()))
        .append(keep_alive_ ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
    out_.append(body);
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!error && self->keep_alive_) self->read();
                      });
  }

  tcp::socket socket_;
  Models& models_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::string out_;
  bool keep_alive_ = true;
};

void accept(tcp::acceptor& acceptor, Models& models) {
  acceptor.async_accept([&](error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket), models)->read();
    }
    accept(acceptor, models);
  });
}

int serve(const char* port, const std::string& folder) {
  Models models;
  for (const auto& [name, kind] : kinds())
    if (const std::string file = folder + "/" + name + ".onnx"; std::ifstream(file).good())
      models[name] = std::make_unique<BareModel>(file, kind);
  asio::io_context io(1);
  const tcp::endpoint here(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::atoi(port)));
  tcp::acceptor acceptor(io, here);
  accept(acceptor, models);
  io.run();
  return 0;
}

int loop(const std::string& folder, const std::string& name, const char* body_file, double seconds) {
  std::ifstream file(body_file, std::ios::binary);
  std::string body{std::istreambuf_iterator<char>(file), {}};
  BareModel model(folder + "/" + name + ".onnx", kinds().at(name));
  if (model.answer(body).empty()) return 1;
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto passed_s = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  long count = 0;
  for (; passed_s() < seconds; ++count) model.answer(body);
  std::printf("{\"per_second\":%.2f}\n", static_cast<double>(count) / passed_s());
  return 0;
}

}  // namespace
}  // namespace noren::bench

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "serve" && argc == 4) return noren::bench::serve(argv[2], argv[3]);
  if (verb == "loop" && argc == 6) return noren::bench::loop(argv[2], argv[3], argv[4], std::atof(argv[5]));
  std::fprintf(stderr, "noren_bare serve PORT FOLDER | loop FOLDER NAME BODY SECONDS\n");
  return 2;
}
