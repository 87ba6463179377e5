//===- ConfigSpace.cpp - enumeration and rejection ------------------------===//
#include "mtc/Tuning/ConfigSpace.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace mtc {

int64_t Config::get(std::string_view name, int64_t otherwise) const {
  for (const ConfigNumber &number : numbers)
    if (number.name == name && number.values.size() == 1)
      return number.values[0];
  return otherwise;
}

std::string printConfig(const Config &config) {
  std::string text = config.emitter;
  for (const ConfigNumber &number : config.numbers)
    text += number.isList ? fmt::format(" {}=[{}]", number.name, fmt::join(number.values, ","))
                          : fmt::format(" {}={}", number.name, number.values.at(0));
  return text;
}

/// "name=1" or "name=[1,2]".
static bool parseNumber(std::string_view word, ConfigNumber &number) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return false;
  number.name = word.substr(0, equals);
  word.remove_prefix(equals + 1);
  number.isList = word.starts_with('[') && word.ends_with(']') && word.size() >= 2;
  if (number.isList)
    word = word.substr(1, word.size() - 2);
  while (!word.empty()) {
    int64_t value = 0;
    const auto [next, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc())
      return false;
    number.values.push_back(value);
    word.remove_prefix(size_t(next - word.data()));
    if (word.empty())
      break;
    if (!number.isList || word[0] != ',' || word.size() == 1)
      return false;
    word.remove_prefix(1);
  }
  return number.isList || number.values.size() == 1;
}

StatusOr<Config> parseConfig(std::string_view text) {
  Config config;
  const std::string whole(text);
  for (bool isFirst = true; isFirst || !text.empty(); isFirst = false) {
    const size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    ConfigNumber number;
    if (isFirst && !word.empty() && word.find('=') == std::string_view::npos)
      config.emitter = word;
    else if (!isFirst && parseNumber(word, number) &&
             (config.numbers.empty() || config.numbers.back().name < number.name))
      config.numbers.push_back(std::move(number));
    else
      return invalidInput(fmt::format("'{}' is no config like 'contraction mr=14 nv=2'", whole));
  }
  return config;
}

namespace {

int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

Status wrong(const std::string &what) { return invalidInput("the config does not fit: " + what); }

/// Fails unless the config holds these single numbers, each at least 1, or lists, and beside them
/// none but the optional ones.
Status requireNumbers(const Config &config, const char *emitter, std::vector<const char *> names,
                      bool lists = false, std::vector<const char *> optional = {}) {
  if (config.emitter != emitter)
    return wrong(fmt::format("emitter '{}' instead of '{}'", config.emitter, emitter));
  size_t required = 0;
  for (const ConfigNumber &number : config.numbers) {
    const bool isRequired = std::find(names.begin(), names.end(), number.name) != names.end();
    required += isRequired;
    if (!isRequired && std::find(optional.begin(), optional.end(), number.name) == optional.end())
      return wrong(fmt::format("unknown number '{}'", number.name));
    if (number.isList != lists || number.values.empty() ||
        *std::min_element(number.values.begin(), number.values.end()) < 1)
      return wrong(fmt::format("'{}' is not positive", number.name));
  }
  if (required != names.size())
    return wrong(fmt::format("{} numbers instead of {}", required, names.size()));
  return okStatus();
}

//===----------------------------------------------------------------------===//
// contractions
//===----------------------------------------------------------------------===//

/// A register tile is written out: larger ones cost more code than they save time.
constexpr int64_t kMostRows = 16, kMostAccumulators = 30, kMostVectors = 8;
constexpr int64_t kMostWrittenOut = 64;

bool fitsPanels(int64_t panel, int64_t span, int64_t n) {
  return !panel || panel % span == 0 || span % panel == 0 || (span >= n && span <= panel);
}

Status verifyContraction(const ContractionShape &s, const CoreShape &core, const Config &config) {
  MTC_RETURN_IF_ERROR(requireNumbers(config, "contraction", {"lanes", "mr", "nv", "rows", "steps"},
                                     /*lists=*/false, {"ahead", "order", "unroll"}));
  const int64_t lanes = config.get("lanes"), mr = config.get("mr"), nv = config.get("nv");
  const int64_t full = core.vectorBytes / s.accumulatorBytes, span = nv * lanes;
  if (lanes != full && !(lanes == full / 2 && lanes >= 8))
    return wrong(fmt::format("vectors of {} lanes on a core of {}", lanes, full));
  if (nv > kMostVectors || (nv > 1 && span - lanes >= s.n))
    return wrong(fmt::format("{} vectors of {} lanes for {} columns", nv, lanes, s.n));
  if (!fitsPanels(s.panel, span, s.n))
    return wrong(fmt::format("{} columns at a time from panels of {}", span, s.panel));
  if (mr > std::min(s.m, kMostRows))
    return wrong(fmt::format("{} rows of {}", mr, std::min(s.m, kMostRows)));
  const int64_t registers = mr * nv + (nv + (s.readsInPlace && nv > 3 ? 0 : 1)) * s.vectorsPerLoad;
  if (registers > core.vectorRegisters || mr * nv > kMostAccumulators)
    return wrong(fmt::format("{} registers of {}", registers, core.vectorRegisters));
  const int64_t steps = ceilDivide(s.m, mr);
  if (config.get("rows") > s.rows || config.get("steps") > steps)
    return wrong(fmt::format("blocks of {} rows and {} steps, of {} and {}", config.get("rows"),
                             config.get("steps"), s.rows, steps));
  const int64_t unroll = config.get("unroll", 1);
  if (s.inner % unroll || (unroll > 1 && unroll * mr * nv > kMostWrittenOut))
    return wrong(
        fmt::format("{} of {} products written out for {} accumulators", unroll, s.inner, mr * nv));
  if (config.get("order", 0) > 1)
    return wrong(fmt::format("an order {} of tiles", config.get("order")));
  if (config.get("ahead", 0) > s.mayFetchAhead)
    return wrong("nothing to fetch ahead");
  return okStatus();
}

/// 1, 2, 4, ... and `most`.
std::vector<int64_t> doublings(int64_t most) {
  std::vector<int64_t> values;
  for (int64_t value = 1; value < most; value *= 2)
    values.push_back(value);
  values.push_back(most);
  return values;
}

Config contractionConfig(int64_t lanes, int64_t mr, int64_t nv, int64_t rows, int64_t steps) {
  return {"contraction",
          {{"lanes", {lanes}}, {"mr", {mr}}, {"nv", {nv}}, {"rows", {rows}}, {"steps", {steps}}}};
}

/// A config and the same with other numbers that decide how its tiles follow each other and how the
/// innermost loop is written: one of these at a time.
void addWithVariations(const ContractionShape &s, const CoreShape &core, Config config,
                       std::vector<Config> &space) {
  const int64_t groups = ceilDivide(s.n, config.get("nv") * config.get("lanes"));
  const int64_t blocks = ceilDivide(s.rows, config.get("rows")) *
                         ceilDivide(ceilDivide(s.m, config.get("mr")), config.get("steps"));
  const bool isAhead = core.fetchesAhead && s.mayFetchAhead;
  auto with = [](Config other, const char *name, int64_t value) {
    const auto place = std::find_if(other.numbers.begin(), other.numbers.end(),
                                    [&](const ConfigNumber &n) { return n.name > name; });
    other.numbers.insert(place, {name, {value}});
    return other;
  };
  const Config first = isAhead ? with(config, "ahead", 1) : config;
  space.push_back(first);
  auto add = [&](const char *name, int64_t value) {
    Config other = with(first, name, value);
    if (verifyContraction(s, core, other).ok())
      space.push_back(std::move(other));
  };
  if (groups > 1 && blocks > 1)
    add("order", 1);
  for (int64_t unroll : {2, 4})
    add("unroll", unroll);
  if (s.mayFetchAhead)
    space.push_back(isAhead ? config : with(config, "ahead", 1));
}

std::vector<Config> contractionSpace(const ContractionShape &s, const CoreShape &core) {
  std::vector<Config> space;
  const int64_t full = core.vectorBytes / s.accumulatorBytes;
  for (int64_t lanes : {full, full / 2})
    for (int64_t nv = 1; nv <= kMostVectors; ++nv)
      for (int64_t mr = 1; mr <= kMostRows; ++mr) {
        if (!verifyContraction(s, core, contractionConfig(lanes, mr, nv, 1, 1)).ok())
          continue;
        const int64_t steps = ceilDivide(s.m, mr);
        // What is copied for each tile must serve many rows.
        if (s.packs) {
          addWithVariations(s, core, contractionConfig(lanes, mr, nv, s.rows, steps), space);
          continue;
        }
        for (int64_t block : doublings(steps))
          addWithVariations(s, core, contractionConfig(lanes, mr, nv, 1, block), space);
        for (int64_t block : doublings(s.rows))
          if (block > 1)
            addWithVariations(s, core, contractionConfig(lanes, mr, nv, block, steps), space);
      }
  return space;
}

/// Of a core of today (Zen 4, Golden Cove): bytes of the caches that tiles may count on, and bytes
/// a cycle that come from the level-2 and level-3 cache.
constexpr double kLevel1Bytes = 24 << 10, kLevel2Bytes = 512 << 10;
constexpr double kLevel2Rate = 32, kLevel3Rate = 10;
/// Fixed cycles of a tile and of a register tile (estimates).
constexpr double kTileCycles = 120, kRegisterTileCycles = 12;
/// What a row and a vector of a register tile add to a step of widened weights (fitted).
constexpr double kWidenedRowCycles = 0.2, kWidenedVectorCycles = 0.3;

/// The longest core's part of all, in parts of the mean.
double imbalance(int64_t tiles, int32_t granules) {
  return double(ceilDivide(tiles, granules)) * granules / double(tiles);
}

/// Cycles of one product step of a register tile: two multiply-adds and two loads a cycle, latency
/// 4. Narrower vectors cost little less an instruction. Beside weights that are widened wide tiles
/// take less than tall ones: 6 rows of 4 vectors 0.93 to 0.95 of 13 of 2 (128x384x384,
/// 128x384x1536, one core of AMD EPYC Zen 4, shared VM, 2026-11-23).
double stepCycles(const ContractionShape &s, double width, int64_t mr, int64_t nv, int64_t unroll) {
  if (mr == 0 || nv == 0)
    return 0;
  const auto accumulators = double(mr * nv);
  const double loads = s.vectorRows ? accumulators + double(nv) : double(mr + nv);
  return std::max({accumulators * 0.5 * width * s.operations,
                   loads * 0.5 * (s.vectorRows ? width : 1.0), 4.0}) +
         (s.isWidened ? kWidenedRowCycles * double(mr) + kWidenedVectorCycles * double(nv) : 0) +
         0.5 / double(unroll);
}

double contractionCycles(const ContractionShape &s, const CoreShape &core, const Config &config,
                         int32_t granules) {
  const int64_t lanes = config.get("lanes"), mr = config.get("mr"), nv = config.get("nv");
  const int64_t rowBlock = config.get("rows"), stepBlock = config.get("steps");
  const double width = lanes * s.accumulatorBytes == core.vectorBytes ? 1.0 : 0.6;
  const int64_t span = nv * lanes, wholeN = s.n / span, restN = ceilDivide(s.n % span, lanes);
  const int64_t wholeM = s.m / mr, restM = s.m % mr;
  const int64_t unroll = config.get("unroll", 1);
  auto step = [&](int64_t rows, int64_t vectors) {
    return stepCycles(s, width, rows, vectors, unroll);
  };
  const auto depth = double(s.depth), outer = double(s.batch * s.rows);
  double cycles = outer * depth *
                  (double(wholeM) * (double(wholeN) * step(mr, nv) + step(mr, restN)) +
                   double(wholeN) * step(restM, nv) + step(restM, restN));
  const int64_t groups = ceilDivide(s.n, span), steps = ceilDivide(s.m, mr);
  const int64_t stepBlocks = ceilDivide(steps, stepBlock);
  const int64_t rowBlocks = ceilDivide(s.rows, rowBlock);
  const int64_t tiles = s.batch * rowBlocks * stepBlocks * groups;
  cycles += double(tiles) * kTileCycles;
  cycles += outer * double(steps * groups) * (kRegisterTileCycles + 2.0 * double(mr * nv));
  // A tile's panel is read once for each register tile, from where it fits; its rows once for each
  // group of columns, and so is the whole matrix of panels for each block of rows.
  const auto bytes = double(s.operandBytes);
  const double panel = depth * double(span) * bytes, panels = depth * double(s.n) * bytes;
  const double rows = depth * double(std::min(rowBlock * stepBlock * mr, s.rows * s.m)) * bytes / 2;
  if (!s.vectorRows) {
    const double perRegisterTile = panel > kLevel1Bytes ? panel / kLevel2Rate : 0;
    cycles += 0.5 * outer * double(steps * groups) * perRegisterTile;
    // Tiles that follow each other share their rows, or with order=1 their panel.
    const double allRows = depth * double(s.rows * s.m) * bytes / 2;
    if (config.get("order", 0) == 0 && rows + panels > kLevel2Bytes)
      cycles += double(s.batch * rowBlocks * stepBlocks) * panels / kLevel3Rate;
    if (config.get("order", 0) == 1 && allRows + panel > kLevel2Bytes)
      cycles += double(s.batch * groups) * allRows / kLevel3Rate;
    if (rows > kLevel2Bytes)
      cycles += double(tiles) * rows / kLevel3Rate;
  }
  if (s.packs)
    cycles += double(tiles) * depth * double(span) * 0.5;
  return cycles * imbalance(tiles, granules) / granules;
}

//===----------------------------------------------------------------------===//
// rows, minimal filtering
//===----------------------------------------------------------------------===//

Status verifyRows(const RowsShape &s, const Config &config) {
  MTC_RETURN_IF_ERROR(requireNumbers(config, "rows", {"rows"}, /*lists=*/true));
  const std::vector<int64_t> &values = config.numbers[0].values;
  if (values.size() != s.segments.size())
    return wrong(fmt::format("{} segments instead of {}", values.size(), s.segments.size()));
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] > s.segments[i].rows)
      return wrong(fmt::format("{} rows of {}", values[i], s.segments[i].rows));
  return okStatus();
}

std::vector<Config> rowsSpace(const RowsShape &s) {
  std::vector<Config> space;
  for (int64_t kib : {2, 4, 8, 16, 32, 64, 128, 256, 1024}) {
    Config config{"rows", {{"rows", {}, true}}};
    for (const RowsShape::Segment &segment : s.segments)
      config.numbers[0].values.push_back(
          std::clamp<int64_t>((kib << 10) / segment.bytes, 1, segment.rows));
    if (std::find(space.begin(), space.end(), config) == space.end())
      space.push_back(std::move(config));
  }
  return space;
}

double rowsCycles(const RowsShape &s, const Config &config, int32_t granules) {
  double cycles = 0;
  int64_t tiles = 0;
  for (size_t i = 0; i < s.segments.size(); ++i) {
    const int64_t perTile = config.numbers[0].values[i];
    const auto bytes = double(s.segments[i].bytes);
    const double rate = bytes * double(perTile) > kLevel1Bytes ? 24 : 28;
    cycles += double(s.segments[i].rows) * bytes / rate;
    tiles += ceilDivide(s.segments[i].rows, perTile);
  }
  return (cycles + double(tiles) * kTileCycles) * imbalance(tiles, granules) / granules;
}

/// Whole vectors, or where a panel is none of those half ones.
int64_t winogradLanes(const WinogradShape &s, const CoreShape &core) {
  const int64_t whole = core.vectorBytes / 4;
  return s.panel % whole == 0 ? whole : whole / 2;
}

Status verifyWinograd(const WinogradShape &s, const CoreShape &core, const Config &config) {
  MTC_RETURN_IF_ERROR(requireNumbers(config, "winograd", {"block", "lanes", "mr"}));
  const int64_t lanes = config.get("lanes"), mr = config.get("mr"), block = config.get("block");
  if (lanes != winogradLanes(s, core) || s.panel % lanes != 0)
    return wrong(fmt::format("vectors of {} lanes for panels of {}", lanes, s.panel));
  const int64_t nv = s.panel / lanes, registers = mr * nv + nv + 2;
  if (registers > core.vectorRegisters || mr > 24)
    return wrong(fmt::format("{} registers of {}", registers, core.vectorRegisters));
  if (block % mr != 0)
    return wrong(fmt::format("blocks of {} tiles, {} at a time", block, mr));
  if (block - mr >= s.tiles)
    return wrong(fmt::format("blocks of {} tiles of {}", block, s.tiles));
  return okStatus();
}

std::vector<Config> winogradSpace(const WinogradShape &s, const CoreShape &core) {
  std::vector<Config> space;
  for (int64_t mr : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 24})
    for (int64_t times : {1, 2, 3, 4, 6, 8, 12, 16}) {
      Config config{"winograd",
                    {{"block", {mr * times}}, {"lanes", {winogradLanes(s, core)}}, {"mr", {mr}}}};
      if (verifyWinograd(s, core, config).ok())
        space.push_back(std::move(config));
    }
  return space;
}

/// A block's steps: its inputs are transformed; for each panel products with it, and those back.
/// What a block holds passes through the caches between the steps; beyond what of a level-2 cache
/// neighbours in time leave, it comes from the level-3 cache. The factors of that traffic stand for
/// the transforms' arithmetic, too. They are fitted to 69 kernels and shares, Zen 4, 2026-11-23:
/// of the three sets with such layers the choice is 1.039 of the best measured config in geometric
/// mean, 1.060 before; with the speech or the vision set held out of the fit 1.036 (1.056 before)
/// and 1.048 (1.066) of it.
double winogradCycles(const WinogradShape &s, const CoreShape &core, const Config &config,
                      int32_t granules) {
  const int64_t mr = config.get("mr"), block = config.get("block");
  const int64_t lanes = config.get("lanes"), nv = s.panel / lanes;
  const int64_t tiles = ceilDivide(s.tiles, block);
  const double width = lanes == core.vectorBytes / 4 ? 1.0 : 0.6; // as in stepCycles
  const double step = std::max({double(mr * nv) * 0.5 * width, double(mr + nv) * 0.5, 4.0}) + 0.5;
  const double products = double(s.groups * (block / mr) * s.positions * s.channels) * step;
  const double weights = 4.0 * double(s.groups * s.positions * s.channels * s.panel);
  const double inputs = 4.0 * double(s.positions * block * s.channels);
  const double results = 4.0 * double(s.positions * block * s.panel);
  constexpr double kept = 192 << 10, missRate = 6.4;
  const double missing = std::max(0.0, 1 - kept / (weights + inputs + results));
  const double cyclesPerByte = (1 - missing) / kLevel2Rate + missing / missRate;
  const auto groups = double(s.groups);
  const double moved = 3 * (1 + groups) * inputs + 20 * groups * results;
  // Weights come beside the products, nearly free.
  const double beside = 0.1 * std::min(products, weights * cyclesPerByte);
  const double each =
      std::max(products, weights * cyclesPerByte) + beside + moved * cyclesPerByte + 500;
  return double(tiles) * each * imbalance(tiles, granules) / granules;
}

//===----------------------------------------------------------------------===//
// products of tiles
//===----------------------------------------------------------------------===//

constexpr int64_t kTileSide = 16, kTileDepth = 32, kMostSums = 4;
constexpr int64_t kMostGatheredBytes = 2 << 20;

int64_t roundUp(int64_t value, int64_t to) { return ceilDivide(value, to) * to; }

Status verifyMatrix(const MatrixShape &s, const Config &config) {
  MTC_RETURN_IF_ERROR(requireNumbers(config, "matrix", {"columns", "mr", "nv", "parts", "rows"}));
  const int64_t mr = config.get("mr"), nv = config.get("nv");
  const bool arePowers = (mr & (mr - 1)) == 0 && (nv & (nv - 1)) == 0;
  if (!arePowers || mr * nv > kMostSums)
    return wrong(fmt::format("{} x {} tiles of sums", mr, nv));
  const int64_t rows = config.get("rows"), columns = config.get("columns");
  const int64_t step = kTileSide * mr, span = kTileSide * nv;
  if (rows % step || columns % span)
    return wrong(
        fmt::format("blocks of {} x {}, no multiples of {} x {}", rows, columns, step, span));
  if (rows > roundUp(s.positions, step) || columns > roundUp(s.columns, span))
    return wrong(
        fmt::format("blocks of {} x {}, of {} x {}", rows, columns, s.positions, s.columns));
  if (config.get("parts") != s.parts)
    return wrong(fmt::format("{} parts of {}", config.get("parts"), s.parts));
  return okStatus();
}

std::vector<Config> matrixSpace(const MatrixShape &s) {
  std::vector<Config> space;
  for (auto [mr, nv] : {std::pair<int64_t, int64_t>(2, 2), {1, 4}, {4, 1}}) {
    const int64_t step = kTileSide * mr, span = kTileSide * nv;
    for (int64_t steps : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64})
      for (int64_t blocks : {1, 2, 4, 8, 16}) {
        const int64_t rows = step * steps, columns = roundUp(ceilDivide(s.columns, blocks), span);
        if (steps > 1 && 6 * rows * s.depth > kMostGatheredBytes)
          continue;
        Config config{"matrix",
                      {{"columns", {columns}},
                       {"mr", {mr}},
                       {"nv", {nv}},
                       {"parts", {s.parts}},
                       {"rows", {rows}}}};
        if (verifyMatrix(s, config).ok() &&
            std::find(space.begin(), space.end(), config) == space.end())
          space.push_back(std::move(config));
      }
  }
  return space;
}

/// A tile gathers its rows, then runs through the weight's panels, which come from where they fit
/// beside what was gathered; that is read once for each group of columns. Rates as measured on an
/// Intel Xeon with AMX, 2026-11-24: 8 bytes a cycle from the last cache, 0.8 of the products' peak
/// with everything in the second one; fixed costs fitted to 117 kernels.
double matrixCycles(const MatrixShape &s, const Config &config, int32_t granules) {
  constexpr double keptBytes = 1 << 20, lastRate = 8, peakPart = 0.8;
  const int64_t mr = config.get("mr"), nv = config.get("nv");
  const auto rows = double(config.get("rows")), columns = double(config.get("columns"));
  const int64_t tiles =
      ceilDivide(s.positions, config.get("rows")) * ceilDivide(s.columns, config.get("columns"));
  const auto depth = double(s.depth);
  const double gathered = 6 * rows * depth, weights = 2 * double(s.parts) * columns * depth;
  const double sums = rows / kTileSide * (columns / kTileSide);
  // Fewer tiles of sums wait for each other.
  const double wait = mr * nv == kMostSums ? 1 : 2;
  double cycles = sums * depth / kTileDepth * 16 * double(s.products()) / peakPart * wait;
  cycles += rows * (27 + 5.4 * double(s.vectors)) + 1.5 * rows * columns / kTileSide;
  if (gathered + weights > keptBytes)
    cycles += weights / lastRate;
  if (gathered > keptBytes)
    cycles += gathered * columns / double(kTileSide * nv) / lastRate;
  return double(tiles) * (cycles + kTileCycles) * imbalance(tiles, granules) / granules;
}

template <typename... Ts> struct Overloaded : Ts... {
  using Ts::operator()...;
};

} // namespace

Status check(const KernelShape &shape, const CoreShape &core) {
  auto require = [](bool holds, const std::string &what) {
    return holds ? okStatus() : invalidInput("the kernel cannot be cut: " + what);
  };
  MTC_RETURN_IF_ERROR(
      require(core.vectorBytes >= 16 && core.vectorRegisters >= 8 && core.cores >= 1,
              "the core has no vectors"));
  return std::visit(
      Overloaded{[&](std::monostate) { return okStatus(); },
                 [&](const ContractionShape &s) {
                   const int64_t least =
                       std::min({s.batch, s.rows, s.m, s.n, s.depth, s.accumulatorBytes,
                                 s.operandBytes, s.vectorsPerLoad});
                   MTC_RETURN_IF_ERROR(
                       require(least >= 1 && s.operations > 0, "an extent is not positive"));
                   return require(s.panel >= 0, fmt::format("panels of {} columns", s.panel));
                 },
                 [&](const RowsShape &s) {
                   return require(!s.segments.empty() &&
                                      std::all_of(s.segments.begin(), s.segments.end(),
                                                  [](const RowsShape::Segment &segment) {
                                                    return segment.rows >= 1 && segment.bytes >= 1;
                                                  }),
                                  "no segments, or one without rows");
                 },
                 [&](const WinogradShape &s) {
                   return require(s.tiles >= 1 && s.channels >= 1 && s.panel >= 1,
                                  "an extent is not positive");
                 },
                 [&](const MatrixShape &s) {
                   return require(s.positions >= 1 && s.columns >= 1 && s.vectors >= 1 &&
                                      s.depth >= kTileDepth && s.depth % kTileDepth == 0 &&
                                      s.parts >= 1 && s.parts <= 3,
                                  "an extent is not positive, or its depth not of whole tiles");
                 }},
      shape);
}

Status verify(const KernelShape &shape, const CoreShape &core, const Config &config) {
  return std::visit(
      Overloaded{[&](std::monostate) { return wrong("the kernel has one config only"); },
                 [&](const ContractionShape &s) { return verifyContraction(s, core, config); },
                 [&](const RowsShape &s) { return verifyRows(s, config); },
                 [&](const WinogradShape &s) { return verifyWinograd(s, core, config); },
                 [&](const MatrixShape &s) { return verifyMatrix(s, config); }},
      shape);
}

std::vector<Config> configSpace(const KernelShape &shape, const CoreShape &core) {
  return std::visit(Overloaded{[&](std::monostate) { return std::vector<Config>(); },
                               [&](const ContractionShape &s) { return contractionSpace(s, core); },
                               [&](const RowsShape &s) { return rowsSpace(s); },
                               [&](const WinogradShape &s) { return winogradSpace(s, core); },
                               [&](const MatrixShape &s) { return matrixSpace(s); }},
                    shape);
}

double modelledCycles(const KernelShape &shape, const CoreShape &core, const Config &config,
                      int32_t granules) {
  return std::visit(
      Overloaded{
          [&](std::monostate) { return 1.0; },
          [&](const ContractionShape &s) { return contractionCycles(s, core, config, granules); },
          [&](const RowsShape &s) { return rowsCycles(s, config, granules); },
          [&](const WinogradShape &s) { return winogradCycles(s, core, config, granules); },
          [&](const MatrixShape &s) { return matrixCycles(s, config, granules); }},
      shape);
}

} // namespace mtc
