// Operator new and delete, containers, exceptions and shared pointers over threads.
// Usage: containers LIBRARY
#include "served.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern "C" size_t malloc_usable_size(void *);

struct alignas(256) Wide {
    char bytes[256];
};

static void fill(int seed, std::shared_ptr<std::vector<std::string>> shared)
{
    std::map<int, std::string> map;
    for (int i = 0; i < 20000; i++) {
        map[(i * 7919 + seed) % 5000] = std::string(static_cast<size_t>(i % 300), 'x');
        if (i % 100 == 0) {
            try {
                throw std::runtime_error(std::string(200, 'e') + (*shared)[static_cast<size_t>(i) % shared->size()]);
            } catch (const std::exception &error) {
                CHECK(std::string(error.what()).size() > 200);
            }
        }
        auto wide = std::make_unique<Wide>();
        CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 256 == 0);
    }
    CHECK(map.size() == 5000);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    must_be_served_by(argv[1]);
    auto shared = std::make_shared<std::vector<std::string>>(100, "text");
    std::vector<std::thread> threads;
    for (int seed = 0; seed < 4; seed++)
        threads.emplace_back(fill, seed, shared);
    shared.reset();
    for (auto &thread : threads)
        thread.join();
    volatile std::size_t huge = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) - 64;
    bool refused = false;
    try {
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        refused = true;
    }
    CHECK(refused);
    CHECK(::operator new(huge, std::nothrow) == nullptr);
    int *array = new int[1000];
    CHECK(malloc_usable_size(array) >= 1000 * sizeof(int));
    delete[] array;
    puts("ok");
}
