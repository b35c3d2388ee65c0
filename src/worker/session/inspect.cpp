#include "worker/session/inspect.h"

#include <exception>
#include <new>

#include "base/limits.h"
#include "worker/session/conversation.h"

namespace noren::worker {
namespace {

Result<Inspected> guarded(const InspectFile& inspect_file, ByteView file,
                          const link::InspectRequest& request) {
  try {
    return inspect_file(file, request);
  } catch (const std::bad_alloc&) {
    return make_error(Code::kTooLarge, "the model needs more memory than an import may use");
  } catch (const std::exception& problem) {
    return make_error(Code::kInternal, "the file could not be read", problem.what());
  }
}

Status answer(Conversation& conversation, const link::Frame& frame, int output,
              const InspectFile& inspect_file) {
  ASSIGN_OR_RETURN(const auto request,
                   link::decode<link::InspectRequest>(conversation.reader().payload(frame)));
  ASSIGN_OR_RETURN(const Mapping file, Mapping::map(frame.descriptor.get()));
  ASSIGN_OR_RETURN(const Inspected inspected, guarded(inspect_file, file.bytes(), request));
  if (inspected.description_json.size() > limits::kDescriptionBytes)
    return make_error(Code::kTooLarge, "the model has more layers and names than can be described");
  const Status written = write_all(output, inspected.package);
  if (!written.ok()) return make_error(Code::kTooLarge, "the translated model is too large to be stored");
  conversation.writer().add({.type = link::FrameType::kInspected}, bytes_of(inspected.description_json));
  return Ok{};
}

}  // namespace

int inspect(int socket, const InspectFile& inspect_file) {
  Conversation conversation(socket);
  const auto output = conversation.next();
  if (!output.ok() || !output->has_value() || (*output)->header.type != link::FrameType::kInspectOutput ||
      !(*output)->descriptor.valid())
    return kExitBroken;
  const auto file = conversation.next();
  if (!file.ok() || !file->has_value() || (*file)->header.type != link::FrameType::kInspect ||
      !(*file)->descriptor.valid())
    return kExitBroken;
  const Status answered = answer(conversation, **file, (*output)->descriptor.get(), inspect_file);
  if (!answered.ok()) return conversation.fail(answered.error());
  return conversation.flush() ? kExitDone : kExitBroken;
}

}  // namespace noren::worker
