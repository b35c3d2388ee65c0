#include "worker/session/inspect.h"

#include <exception>
#include <new>
#include <type_traits>

#include "base/limits.h"
#include "base/result_limits.h"
#include "worker/session/conversation.h"

namespace noren::worker {
namespace {

/// Runs what reads a stranger's file; whatever it throws is an error like another.
template <typename Read>
auto guarded(const Read& read) -> std::invoke_result_t<Read> {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return make_error(Code::kTooLarge, "the file needs more memory than an import may use");
  } catch (const std::exception& problem) {
    return make_error(Code::kInternal, "the file could not be read", problem.what());
  }
}

/// The description.
Result<std::string> inspect_into(int output, const InspectFile& inspect_file, ByteView file,
                                 const link::InspectRequest& request) {
  ASSIGN_OR_RETURN(Inspected inspected, guarded([&] { return inspect_file(file, request); }));
  if (inspected.description_json.size() > limits::kDescriptionBytes)
    return make_error(Code::kTooLarge, "the model has more layers and names than can be described");
  const Status written = write_all(output, inspected.package);
  if (!written.ok()) return make_error(Code::kTooLarge, "the translated model is too large to be stored");
  return std::move(inspected.description_json);
}

/// The index.
Result<std::string> unpack_into(int output, const UnpackFile& unpack_file, ByteView file,
                                const link::InspectRequest& request) {
  const WritePart write = [output](ByteView bytes) -> Status {
    if (write_all(output, bytes).ok()) return Ok{};
    return make_error(Code::kTooLarge, "the archive unpacks to more than an import may keep");
  };
  ASSIGN_OR_RETURN(std::string index, guarded([&] { return unpack_file(file, request, write); }));
  if (index.size() > limits::kImportIndexBytes)
    return make_error(Code::kTooLarge, "the archive holds more files and names than can be described");
  return index;
}

Status answer(Conversation& conversation, const link::Frame& frame, int output, const SessionParts& parts) {
  ASSIGN_OR_RETURN(const auto request,
                   link::decode<link::InspectRequest>(conversation.reader().payload(frame)));
  ASSIGN_OR_RETURN(const Mapping file, Mapping::map(frame.descriptor.get()));
  const bool is_model = request.task == link::InspectTask::kModel;
  ASSIGN_OR_RETURN(const std::string description,
                   is_model ? inspect_into(output, parts.inspect, file.bytes(), request)
                            : unpack_into(output, parts.unpack, file.bytes(), request));
  conversation.writer().add({.type = link::FrameType::kInspected}, bytes_of(description));
  return Ok{};
}

}  // namespace

int inspect(int socket, const SessionParts& parts) {
  Conversation conversation(socket);
  const auto output = conversation.next();
  if (!output.ok() || !output->has_value() || (*output)->header.type != link::FrameType::kInspectOutput ||
      !(*output)->descriptor.valid())
    return kExitBroken;
  const auto file = conversation.next();
  if (!file.ok() || !file->has_value() || (*file)->header.type != link::FrameType::kInspect ||
      !(*file)->descriptor.valid())
    return kExitBroken;
  const Status answered = answer(conversation, **file, (*output)->descriptor.get(), parts);
  if (!answered.ok()) return conversation.fail(answered.error());
  return conversation.flush() ? kExitDone : kExitBroken;
}

}  // namespace noren::worker
