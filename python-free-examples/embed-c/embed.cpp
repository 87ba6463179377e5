// The same in C++: embed-cpp BUNDLE TENANT INPUT OUTPUT
#include <mtc/Runtime/mtrt.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char **argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: embed-cpp BUNDLE TENANT INPUT OUTPUT\n");
    return 2;
  }
  try {
    const mtrt::Program program(argv[1]);
    const mtrt::Session session(program);
    mtrt::Request request(session, argv[2]);
    auto *input = static_cast<float *>(request.tensor(argv[3]).data);
    const auto *output = static_cast<const float *>(request.tensor(argv[4]).data);
    input[0] = 0;
    request.run();
    std::printf("%s[0] = %g\n", argv[4], double(output[0]));
    return 0;
  } catch (const mtrt::Error &error) {
    std::fprintf(stderr, "embed-cpp: %s\n", error.what());
    return error.status();
  }
}
