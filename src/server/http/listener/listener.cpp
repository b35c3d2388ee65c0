#include "server/http/listener/listener.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "server/http/listener/connection.h"
#include "server/http/listener/listener_core.h"

namespace noren::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr MonotonicNs kPausesEndEveryNs = 1'000'000;

constexpr int kBacklogCount = 4096;
constexpr auto kAcceptPause = std::chrono::milliseconds(50);
constexpr auto kTlsWatchPeriod = std::chrono::seconds(2);

IpAddress address_of(const asio::ip::address& address) {
  IpAddress result;
  const auto bytes = address.is_v4()
                         ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                         : address.to_v6().to_bytes();
  std::copy(bytes.begin(), bytes.end(), result.bytes.begin());
  return result;
}

}  // namespace

ListenerCore::ListenerCore(EventLoop& loop, Clock& clock, ListenerOptions listener_options,
                           RequestHandler& request_handler)
    : header_list(listener_options.header_timeout_ms),
      idle_list(listener_options.idle_timeout_ms),
      pause_list(0),
      stall_list(listener_options.stall_timeout_ms),
      linger_list(listener_options.linger_timeout_ms),
      watch_list(limits::kHttpWatchMs),
      probe_list(limits::kHttpProbeMs),
      options(std::move(listener_options)),
      handler(request_handler),
      clock_(clock),
      acceptor_(loop.context()),
      pause_timer_(loop.context()),
      tls_timer_(loop.context()),
      alarm_(loop, [this] { sweep(); }) {}

ListenerCore::~ListenerCore() = default;

Status ListenerCore::listen() {
  TRY(load_tls());
  error_code error;
  tcp::resolver resolver(acceptor_.get_executor());
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  const std::string place = options.host + ":" + std::to_string(options.port);
  if (error || found.empty()) return invalid("can't listen on " + place + ": " + error.message());
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.set_option(tcp::no_delay(true), error);  // accepted sockets inherit it
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklogCount, error);
  if (!error) port = acceptor_.local_endpoint(error).port();
  if (error) return make_error(Code::kUnavailable, "can't listen on " + place + ": " + error.message());
  accept();
  if (tls_) watch_tls_files();
  return Ok{};
}

Status ListenerCore::load_tls() {
  if (options.tls_certificate_file.empty() && options.tls_key_file.empty()) return Ok{};
  if (options.tls_certificate_file.empty() || options.tls_key_file.empty())
    return invalid("TLS needs both a certificate and a key");
  tls_stamp_ = tls_files_stamp(options.tls_certificate_file, options.tls_key_file);
  ASSIGN_OR_RETURN(tls_, TlsContext::load(options.tls_certificate_file, options.tls_key_file));
  return Ok{};
}

/// Files that are half written or don't belong together leave the old ones in use; the next look tries again.
void ListenerCore::watch_tls_files() {
  tls_timer_.expires_after(kTlsWatchPeriod);
  tls_timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    const std::uint64_t stamp =
        tls_files_stamp(self->options.tls_certificate_file, self->options.tls_key_file);
    if (stamp != 0 && stamp != self->tls_stamp_) {
      if (const Status loaded = self->load_tls(); loaded.ok())
        log(LogLevel::kInfo, "http.tls_reloaded", {{"file", self->options.tls_certificate_file}});
      else
        log(LogLevel::kWarning, "http.tls_reload_failed", {{"reason", describe(loaded.error())}});
    }
    self->watch_tls_files();
  });
}

void ListenerCore::accept() {
  acceptor_.async_accept([weak = weak_from_this()](const error_code& error, tcp::socket socket) {
    const auto self = weak.lock();
    if (self && !self->draining) self->on_accepted(error, std::move(socket));
  });
}

void ListenerCore::on_accepted(const error_code& error, tcp::socket socket) {
  if (error == asio::error::operation_aborted) return;
  if (error) {  // out of descriptors or memory, or the caller was gone before we came
    if (error == asio::error::connection_aborted) return accept();
    log(LogLevel::kWarning, "http.accept_failed", {{"reason", error.message()}});
    if (DeadlineHook* idle = idle_list.take_first(); idle != nullptr)
      static_cast<Connection*>(idle)->on_due();
    return pause_accepting();
  }
  error_code ignored;
  const tcp::endpoint remote = socket.remote_endpoint(ignored);
  if (!ignored) {
    const auto connection =
        boost::intrusive_ptr<Connection>(new Connection(shared_from_this(), address_of(remote.address())));
    if (tls_)
      connection->begin(make_tls_stream(std::move(socket), *connection, *tls_),
                        Connection::Handshake::kNeeded);
    else
      connection->begin(make_plain_stream(std::move(socket), *connection), Connection::Handshake::kNone);
  }
  if (connections_count < options.connections_limit_count) return accept();
  // Full: whoever has been idle longest makes room.
  if (DeadlineHook* idle = idle_list.take_first(); idle != nullptr) {
    static_cast<Connection*>(idle)->on_due();
    return accept();
  }
  pause_accepting();
}

void ListenerCore::pause_accepting() {
  pause_timer_.expires_after(kAcceptPause);
  pause_timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->draining) return;
    if (self->connections_count < self->options.connections_limit_count) return self->accept();
    self->pause_accepting();
  });
}

void ListenerCore::await(DeadlineList& list, DeadlineHook& hook) {
  list.put(hook, now_ns());
  alarm_.set(hook.due_ns);
}

void ListenerCore::await_until(DeadlineList& list, DeadlineHook& hook, MonotonicNs due_ns) {
  list.put_due(hook, due_ns);
  alarm_.set(hook.due_ns);
}

void ListenerCore::sweep() {
  const auto self = shared_from_this();
  const MonotonicNs now = now_ns();
  MonotonicNs next = 0;
  for (DeadlineList* list :
       {&header_list, &idle_list, &pause_list, &stall_list, &linger_list, &watch_list, &probe_list}) {
    sweep_list(*list, now);
    MonotonicNs due = list->next_due_ns();
    // Pauses end together: in a flood a timer for each would cost what they save.
    if (list == &pause_list && due != 0) due = std::max(due, now + kPausesEndEveryNs);
    if (due != 0 && (next == 0 || due < next)) next = due;
  }
  if (next != 0) alarm_.set(next);
}

void ListenerCore::sweep_list(DeadlineList& list, MonotonicNs now) {
  while (DeadlineHook* hook = list.take_due(now)) static_cast<Connection*>(hook)->on_due();
}

void ListenerCore::joined(Connection& connection) {
  members_.push_back(connection);
  ++connections_count;
}

void ListenerCore::left() {
  --connections_count;
  if (connections_count == 0 && draining) finish_drain();
}

void ListenerCore::finish_drain() {
  if (drained_) asio::post(acceptor_.get_executor(), std::exchange(drained_, nullptr));
}

void ListenerCore::drain(std::function<void()> done) {
  draining = true;
  drained_ = std::move(done);
  error_code ignored;
  acceptor_.close(ignored);
  pause_timer_.cancel();
  std::vector<boost::intrusive_ptr<Connection>> all;
  for (MemberHook& member : members_) all.emplace_back(static_cast<Connection*>(&member));
  for (const auto& connection : all) connection->wind_up();
  if (connections_count == 0) finish_drain();
}

void ListenerCore::close_all() {
  draining = true;
  drained_ = nullptr;
  error_code ignored;
  acceptor_.close(ignored);
  pause_timer_.cancel();
  tls_timer_.cancel();
  while (!members_.empty()) static_cast<Connection&>(members_.front()).close();
}

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, Clock& clock, ListenerOptions options,
                                                 RequestHandler& handler) {
  auto core = std::make_shared<ListenerCore>(loop, clock, std::move(options), handler);
  TRY(core->listen());
  return std::unique_ptr<Listener>(new Listener(std::move(core)));
}

Listener::Listener(std::shared_ptr<ListenerCore> core) : core_(std::move(core)) {}
Listener::~Listener() { core_->close_all(); }
std::uint16_t Listener::port() const { return core_->port; }
bool Listener::uses_tls() const { return !core_->options.tls_key_file.empty(); }
std::size_t Listener::connections_count() const { return core_->connections_count; }
void Listener::drain(std::function<void()> done) { core_->drain(std::move(done)); }

}  // namespace noren::server
