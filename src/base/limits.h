// base/limits.h - A named limit on everything, unit last in the name.
// Every room reads its limits here; settings may lower or raise those that say so. Tested at the limit and
// one past.
#pragma once

#include <cstddef>
#include <cstdint>

namespace noren::limits {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;
inline constexpr std::size_t kGiB = 1024 * kMiB;

// Logs and errors.
inline constexpr std::size_t kLogLineBytes = 4 * kKiB;
inline constexpr std::size_t kDetailBytes = kKiB;  // what a worker may say about a refusal

// Requests (per API, settings).
inline constexpr std::size_t kRequestBodyPerRequestBytes = 10 * kMiB;
inline constexpr std::size_t kRequestBodyDedicatedBytes = 64 * kMiB;
inline constexpr std::int64_t kInferenceDeadlineMs = 30'000;
inline constexpr std::size_t kRequestJsonDepth = 64;
inline constexpr std::size_t kRequestInputsCount = 1'000;
inline constexpr std::size_t kAnswerBytes = 256 * kMiB;
inline constexpr std::size_t kBodyInlineBytes = 64 * kKiB;  // larger bodies travel in a memfd
inline constexpr std::size_t kQueuePerApiCount = 128;
inline constexpr std::int64_t kVersionTrialMs = 120'000;  // until a new version has loaded and answered
inline constexpr std::int64_t kVersionsKeptCount = 10;    // of one API, a setting

// An API's own settings.
inline constexpr std::size_t kScheduleWindowsCount = 7;
inline constexpr int kInstancesCount = 64;
inline constexpr int kThreadsCount = 64;                      // of one instance
inline constexpr std::int64_t kRequestRateCount = 1'000'000;  // a second
inline constexpr std::int64_t kQueueLimitCount = 100'000;
inline constexpr std::int64_t kBodyLimitLeastBytes = kKiB;
inline constexpr std::int64_t kBodyLimitBytes = kGiB;
inline constexpr std::int64_t kDeadlineMs = 3'600'000;

// The management API.
inline constexpr std::size_t kManagementQueueCount = 256;  // requests that wait for the control thread
inline constexpr std::size_t kImportsCount = 2;       // at the same time; each may take a worker's memory
inline constexpr std::size_t kImportQueueCount = 32;  // that wait for their turn; more get 429
inline constexpr std::int64_t kReleasedBlobsWaitMs =
    60'000;  // for a moment without imports; then one is made

// HTTP.
inline constexpr std::size_t kHttpHeaderBytes = 16 * kKiB;
inline constexpr std::size_t kHttpHeaderCount = 100;
inline constexpr std::size_t kConnectionsCount = 16'384;
inline constexpr std::int64_t kHttpHeaderTimeoutMs = 10'000;
inline constexpr std::int64_t kHttpIdleTimeoutMs = 75'000;
inline constexpr std::int64_t kHttpBodyStallTimeoutMs = 20'000;
inline constexpr std::int64_t kHttpLingerTimeoutMs = 5'000;
inline constexpr std::int64_t kHttpWatchMs = 20;        // before a served caller's hanging up is looked for
inline constexpr std::int64_t kHttpProbeMs = 250;       // how often a half-closed connection is looked at
inline constexpr std::size_t kHttpChunkCount = 65'536;  // of one body
inline constexpr std::size_t kBodiesInFlightBytes = kGiB;
inline constexpr std::int64_t kStopDeadlineMs = 25'000;

// Frames between server and worker.
inline constexpr std::size_t kFramePayloadBytes = 256 * kMiB;
inline constexpr std::size_t kFramePaddingBytes =
    64;  // behind every payload, so that simdjson reads in place

// Pieces of instance time that wait for a store that takes nothing, before those of one instance are joined.
inline constexpr std::size_t kUnstoredTimesCount = 10'000;

// Workers, beyond what an instance's own settings say.
// What every worker takes at its birth: page tables, the first pages of its heap.
inline constexpr std::int64_t kWorkerBirthBytes = kMiB;
inline constexpr std::size_t kWorkerDescriptorsCount = 256;
inline constexpr std::size_t kWorkerAddressSlackBytes = 16 * kGiB;  // mapped files: a package, bodies
inline constexpr std::int64_t kWorkerGraceMs = 5'000;  // after a deadline, before a worker ends itself
inline constexpr int kBackgroundNice = 10;             // imports, and models that load beside one that serves
inline constexpr std::int64_t kIdleImportMs =
    10'000;  // at idle priority, between two looks at its share of the cores
inline constexpr std::int64_t kIdleTrialMs = 5'000;   // the same of a version that is tried
inline constexpr std::int64_t kBatchDurationMs = 10;  // a batch grows while it is expected to take less

// Model files and what they unpack to.
inline constexpr std::size_t kModelFileBytes = 2 * kGiB;
inline constexpr std::size_t kPackageBytes = 4 * kGiB;  // what import makes of it
inline constexpr std::size_t kArchiveMembersCount = 10'000;
inline constexpr std::size_t kNetworkTextBytes = 32 * kMiB;
inline constexpr std::size_t kParameterFileBytes = 2 * kGiB;
inline constexpr std::size_t kDescriptionBytes = 4 * kMiB;
inline constexpr std::size_t kNameBytes = 1'024;
inline constexpr std::size_t kNetworksCount = 256;
inline constexpr std::size_t kFunctionsCount = 100'000;  // of one network, after its loops are expanded
inline constexpr std::size_t kFunctionCallsDepth = 64;   // of an ONNX model's own functions
inline constexpr std::size_t kVariablesCount = 400'000;
inline constexpr std::size_t kNetworkNamesBytes = 256 * kMiB;  // all names of a file's expanded networks
inline constexpr std::int64_t kRepeatTimesCount = 10'000;
inline constexpr std::int64_t kEvaluationsCount = 10'000;
inline constexpr std::size_t kRankCount = 16;
inline constexpr std::int64_t kTensorElementsCount = std::int64_t{1} << 28;  // 1 GiB of float32
inline constexpr std::int64_t kRecurrentLayersCount = 1'024;                 // of one RNN, LSTM or GRU
inline constexpr std::int64_t kPositionsCount = 4'194'304;      // written down where one layer gathers
inline constexpr std::int64_t kPowerMethodRoundsCount = 1'000;  // of one SpectralNorm
inline constexpr std::int64_t kInspectDeadlineMs = 120'000;

// Media.
inline constexpr std::int64_t kImagePixelsCount = 64'000'000;
inline constexpr std::int64_t kImageSideCount = 32'768;
inline constexpr std::int64_t kImageUnpackedBytes = 256 * kMiB;  // one picture, one step of the way
inline constexpr std::size_t kImageChunkBytes = 8 * kMiB;        // what a decoder may hold besides the pixels
inline constexpr int kJpegScansCount = 200;                      // of a progressive file

// Per-request eligibility (a setting): scalars counted at every layer that uses them.
inline constexpr std::int64_t kPerRequestCostParameterCount = 67'108'864;

}  // namespace noren::limits
