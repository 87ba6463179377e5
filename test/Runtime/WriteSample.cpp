//===- WriteSample.cpp - mtc-write-sample OUT.mtb [CORES] [FEATURE] -------===//
//
// Writes the bundle of SampleContents.h for the lit tests of mtrt. A feature is added to those the
// code needs, to get a bundle that this CPU must refuse.
//
//===----------------------------------------------------------------------===//
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"

#include <cstdlib>
#include <iostream>

int main(int argc, char **argv) {
  if (argc < 2) {
    std::cerr << "usage: mtc-write-sample OUT.mtb [CORES] [FEATURE]\n";
    return 2;
  }
  mtc::Contents contents = mtc::test::sampleContents(argc > 2 ? std::atoi(argv[2]) : 2);
  if (argc > 3)
    contents.targets[0].features.push_back(argv[3]);
  const mtc::Status status = mtc::writeBundle(argv[1], contents);
  if (!status.ok())
    std::cerr << "mtc-write-sample: error: " << status.message() << "\n";
  return status.exitCode();
}
