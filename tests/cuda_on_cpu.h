// CUDA C++ on a CPU: enough of it to run kernels.cu's own source and compare the numbers.
//
// Blocks run one after another, and so do the threads of a block: each runs until it waits at
// __syncthreads() or ends, then the next one does. So a missing barrier shows every time, not once
// in a while: what a thread would read of a later one has not been written yet. `backwards` runs
// the threads from last to first, for what is read of earlier ones.
//
// What it cannot show: races inside a warp, alignment, launch limits of a card, fused
// multiply-add and other rounding of a GPU, speed.
#include <ucontext.h>

#include <cmath>
#include <utility>

#define __global__
#define __device__ static
#define __shared__ static
#define __restrict__

struct dim3 { unsigned x, y, z; };

namespace cuda_on_cpu {
struct Thread {
    ucontext_t context;
    char stack[64 << 10];
    bool done;
};
inline ucontext_t scheduler;
inline Thread threads[1024];
inline Thread* running = nullptr;      // the thread that may wait
inline const char* failure = nullptr;
inline void (*body)(void*);
inline void* closure;

inline void enter()
{
    body(closure);
    running->done = true;
}
}

static dim3 threadIdx, blockIdx, blockDim, gridDim;

using std::pow;
using std::sqrt;

static void __syncthreads()
{
    using namespace cuda_on_cpu;
    if (running) swapcontext(&running->context, &scheduler);
    else failure = "some threads wait at __syncthreads() and others do not come";
}

namespace cuda_on_cpu {
inline void resume(int index, bool first)
{
    Thread& thread = threads[index];
    if (first) {
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack;
        thread.context.uc_stack.ss_size = sizeof thread.stack;
        thread.context.uc_link = &scheduler;
        thread.done = false;
        makecontext(&thread.context, enter, 0);
    }
    threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y,
                 index / blockDim.x / blockDim.y};
    running = &thread;
    swapcontext(&scheduler, &thread.context);
    running = nullptr;
}

// One block: the first thread shows whether there are barriers; without, the others are just calls.
inline void run_block(int count, bool backwards)
{
    auto at = [&](int turn) { return backwards ? count - 1 - turn : turn; };
    resume(at(0), true);
    bool waits = !threads[at(0)].done;
    for (int turn = 1; turn < count; turn++) {
        int index = at(turn);
        if (waits) {
            resume(index, true);
            continue;
        }
        threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y,
                     index / blockDim.x / blockDim.y};
        body(closure);
    }
    while (waits && !failure) {
        int ended = 0;
        for (int i = 0; i < count; i++) ended += threads[i].done;
        if (ended == count) return;
        if (ended) failure = "some threads wait at __syncthreads() and others have ended";
        for (int turn = 0; turn < count && !failure; turn++) resume(at(turn), false);
    }
}

template <class... A, size_t... I>
void call(void (*kernel)(A...), void** arguments, std::index_sequence<I...>)
{
    kernel(*static_cast<A*>(arguments[I])...);
}

// As cudaLaunchKernel: a pointer to each argument. Returns what went wrong, or null.
template <class... A>
const char* launch(void (*kernel)(A...), const unsigned* grid, const unsigned* block,
                   void** arguments, int backwards)
{
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    auto run = [&] { call(kernel, arguments, std::index_sequence_for<A...>()); };
    closure = &run;
    body = [](void* run_) { (*static_cast<decltype(run)*>(run_))(); };
    failure = nullptr;
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0]; x++) {
                blockIdx = {x, y, z};
                run_block(int(block[0] * block[1] * block[2]), backwards);
                if (failure) return failure;
            }
    return nullptr;
}
}
