// worker/session/reading_mark.h - Says with the exit status that the process died while it read a request.
// Used by the serve loop, on the worker's one thread. A caller's file that a decoder dies of is the caller's
// to hear about, a model that dies is not. Costs two stores a request: a signal that would end the process
// while the mark stands becomes an exit with link::kDiedReadingStatus and the signal's number. Hides no
// crash: without the mark the signal does what it does.
#pragma once

namespace noren::worker {

/// Stands from its making to its destruction.
class ReadingMark {
 public:
  /// Before the first mark, once a process.
  static void watch_signals();
  ReadingMark();
  ~ReadingMark();
  ReadingMark(const ReadingMark&) = delete;
  ReadingMark& operator=(const ReadingMark&) = delete;
};

}  // namespace noren::worker
