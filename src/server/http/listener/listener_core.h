// What the connections of a listener share: options, deadlines, ids, the set of all connections.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "server/http/listener/answer_head.h"
#include "server/http/listener/deadline_list.h"
#include "server/http/listener/listener.h"
#include "server/http/listener/request_id.h"
#include "server/http/listener/tls_context.h"

namespace noren::server {

class Connection;

/// Links a connection into the listener's set of all.
struct MemberHook
    : boost::intrusive::list_base_hook<boost::intrusive::tag<MemberHook>,
                                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {};

class ListenerCore : public std::enable_shared_from_this<ListenerCore> {
 public:
  ListenerCore(EventLoop& loop, Clock& clock, ListenerOptions options, RequestHandler& handler);
  ~ListenerCore();
  Status listen();
  void close_all();
  void drain(std::function<void()> done);

  // For connections.
  MonotonicNs now_ns() const { return clock_.monotonic_ns(); }
  /// Puts the hook into `list`, and sees to it that somebody looks at the list in time.
  void await(DeadlineList& list, DeadlineHook& hook);
  void await_until(DeadlineList& list, DeadlineHook& hook, MonotonicNs due_ns);
  void joined(Connection& connection);
  void left();
  std::string_view date() { return date_.at(clock_.wall_us()); }

  DeadlineList header_list, idle_list, pause_list, stall_list, linger_list, watch_list, probe_list;
  RequestIds request_ids;
  std::array<char, 64 * 1024> dropped{};  ///< bytes that nobody wants are read into here, by all connections
  std::uint16_t port = 0;
  std::size_t connections_count = 0;
  bool draining = false;
  const ListenerOptions options;
  RequestHandler& handler;

 private:
  Status load_tls();
  void accept();
  void on_accepted(const boost::system::error_code& error, boost::asio::ip::tcp::socket socket);
  void pause_accepting();
  void sweep();
  void sweep_list(DeadlineList& list, MonotonicNs now);
  void watch_tls_files();
  void finish_drain();

  Clock& clock_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_timer_;
  boost::asio::steady_timer tls_timer_;
  Alarm alarm_;
  DateText date_;
  std::optional<TlsContext> tls_;
  std::uint64_t tls_stamp_ = 0;
  boost::intrusive::list<MemberHook, boost::intrusive::base_hook<MemberHook>,
                         boost::intrusive::constant_time_size<false>>
      members_;
  std::function<void()> drained_;
};

}  // namespace noren::server
