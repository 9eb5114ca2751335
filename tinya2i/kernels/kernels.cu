// The kernels that the Python files of this folder launch, each under the same name there.
//
// REAL is float or double: the source is compiled once with -DREAL=float, once with -DREAL=double.
// Arrays are contiguous, images (n, h, w, c), matrices (rows, c); indices are 32 bits wide.
//
// Neighbouring threads (threadIdx.x) always work on neighbouring channels, so that a warp reads and
// writes whole stretches of memory; threadIdx.y and the blocks share out rows, windows or pixels.
// Nothing is added with atomics and no order depends on the card: the same input gives the same
// bits. Sums over rows are kept in double, which costs nothing where memory is what one waits for.


// Windows of images ---------------------------------------------------------------------------------

// cols[(n oh + oy) ow + ox, (i, j, c)] = X[n, oy sh + i - ph, ox sw + j - pw, c], outside X 0.
//
// For one window and one i that is a stretch of kw*c numbers of one image row. The threads of one y
// copy one stretch; grid: all stretches, in the order of cols.
extern "C" __global__ void im2col(
    const REAL* X, REAL* cols, int stretches, int h, int w, int c,
    int kh, int kw, int sh, int sw, int ph, int pw, int oh, int ow)
{
    int stretch = blockIdx.x * blockDim.y + threadIdx.y;
    if (stretch >= stretches) return;
    int i = stretch % kh, window = stretch / kh;
    int ox = window % ow, oy = window / ow % oh, n = window / ow / oh;
    int y = oy * sh + i - ph, left = (ox * sw - pw) * c;
    bool on_row = y >= 0 && y < h;
    for (int t = threadIdx.x; t < kw * c; t += blockDim.x) {
        bool inside = on_row && left + t >= 0 && left + t < w * c;
        cols[stretch * kw * c + t] = inside ? X[(n * h + y) * w * c + left + t] : REAL(0);
    }
}

// X[n, y, x, c] = b[c] + sum of cols[(n oh + oy) ow + ox, (i, j, c)] over all i, j, oy, ox with
// oy sh + i - ph = y and ox sw + j - pw = x: the adjoint of im2col. Without b, from 0.
//
// A gather: each thread finds the windows that hold its pixel and adds them up in the order of i, j,
// as ops.add_taps does. The threads of one y take one pixel; grid: all pixels.
extern "C" __global__ void col2im(
    const REAL* cols, const REAL* b, REAL* X, int pixels, int h, int w, int c,
    int kh, int kw, int sh, int sw, int ph, int pw, int oh, int ow)
{
    int pixel = blockIdx.x * blockDim.y + threadIdx.y;
    if (pixel >= pixels) return;
    int x = pixel % w + pw, y = pixel / w % h + ph, n = pixel / w / h;
    for (int channel = threadIdx.x; channel < c; channel += blockDim.x) {
        REAL sum = b ? b[channel] : REAL(0);
        for (int i = y % sh; i < kh; i += sh) {  // only these differ from y by whole strides
            int oy = (y - i) / sh;
            if (oy < 0 || oy >= oh) continue;
            for (int j = x % sw; j < kw; j += sw) {
                int ox = (x - j) / sw;
                if (ox < 0 || ox >= ow) continue;
                int row = (n * oh + oy) * ow + ox;
                sum += cols[((row * kh + i) * kw + j) * c + channel];
            }
        }
        X[pixel * c + channel] = sum;
    }
}


// Sums over rows ------------------------------------------------------------------------------------

// A block is (width, lanes), both powers of two: width columns, and lanes of threads that share out
// their rows. Grid: x blocks share the rows further, y covers the columns. Two stages: each block
// leaves one sum per column in `partial` (sums, gridDim.x, c), and a second kernel adds those up.

#define COLUMN (blockIdx.y * blockDim.x + threadIdx.x)
#define FIRST_ROW (blockIdx.x * blockDim.y + threadIdx.y)
#define NEXT_ROW (gridDim.x * blockDim.y)

// The sum of `value` over the lanes of each column, for the threads of lane 0. All threads must come.
__device__ double sum_of_lanes(double value)
{
    __shared__ double scratch[1024];
    int me = threadIdx.y * blockDim.x + threadIdx.x;
    __syncthreads();  // the block may still be reading the sum before this one
    scratch[me] = value;
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) scratch[me] += scratch[me + half * blockDim.x];
    }
    return scratch[me];
}

// Leave the block's sum number `which` in partial; where one block saw all rows it is the result.
__device__ void leave_sum(double value, int which, double* partial, REAL* out, int c)
{
    double sum = sum_of_lanes(value);
    if (threadIdx.y > 0 || COLUMN >= c) return;
    if (gridDim.x == 1) out[which * c + COLUMN] = REAL(sum);
    else partial[(which * gridDim.x + blockIdx.x) * c + COLUMN] = sum;
}

// Sum number `which` of column COLUMN over all `parts` blocks of the first stage, in lane 0.
__device__ double sum_of_parts(const double* partial, int which, int parts, int c)
{
    double sum = 0;
    if (COLUMN < c)
        for (int part = threadIdx.y; part < parts; part += blockDim.y)
            sum += partial[(which * parts + part) * c + COLUMN];
    return sum_of_lanes(sum);
}

// out[which, column] = sum over parts of partial[which, part, column]; grid: x is `which`.
extern "C" __global__ void add_parts(const double* partial, REAL* out, int parts, int c)
{
    double sum = sum_of_parts(partial, blockIdx.x, parts, c);
    if (threadIdx.y == 0 && COLUMN < c) out[blockIdx.x * c + COLUMN] = REAL(sum);
}

// out[column] = sum over rows of X[row, column]: ops.column_sum.
extern "C" __global__ void column_sum(const REAL* X, double* partial, REAL* out, int rows, int c)
{
    double sum = 0;
    if (COLUMN < c)
        for (int row = FIRST_ROW; row < rows; row += NEXT_ROW) sum += X[row * c + COLUMN];
    leave_sum(sum, 0, partial, out, c);
}


// Batch normalisation -------------------------------------------------------------------------------

// First stage of the moments: sums of X and of X^2 for each column. The square of a float is exact
// in double, so that nothing is lost where the mean is large.
extern "C" __global__ void moments(const REAL* X, double* partial, int rows, int c)
{
    double sum = 0, squares = 0;
    if (COLUMN < c)
        for (int row = FIRST_ROW; row < rows; row += NEXT_ROW) {
            double x = X[row * c + COLUMN];
            sum += x;
            squares += x * x;
        }
    double totals[2] = {sum_of_lanes(sum), sum_of_lanes(squares)};
    if (threadIdx.y > 0 || COLUMN >= c) return;
    for (int which = 0; which < 2; which++)
        partial[(which * gridDim.x + blockIdx.x) * c + COLUMN] = totals[which];
}

// mean = sum / rows, var = squares / rows - mean^2; running += momentum * (batch - running), with
// the unbiased variance var * rows / (rows - 1). Second stage of moments; grid: x is 1.
extern "C" __global__ void batch_statistics(
    const double* partial, REAL* mean, REAL* var, REAL* running_mean, REAL* running_var,
    REAL momentum, int parts, int rows, int c)
{
    double average = sum_of_parts(partial, 0, parts, c) / rows;
    double squares = sum_of_parts(partial, 1, parts, c) / rows;
    if (threadIdx.y > 0 || COLUMN >= c) return;
    double spread = squares - average * average;
    if (spread < 0) spread = 0;  // rounding, in a column of equal numbers; NaN stays NaN
    mean[COLUMN] = REAL(average);
    var[COLUMN] = REAL(spread);
    double unbiased = spread * rows / (rows - 1);
    running_mean[COLUMN] += momentum * (REAL(average) - running_mean[COLUMN]);
    running_var[COLUMN] += momentum * (REAL(unbiased) - running_var[COLUMN]);
}

// Y = gamma * (X - mean) / sqrt(var + eps) + beta. Grid: as for sums over rows.
extern "C" __global__ void batchnorm(
    const REAL* X, const REAL* mean, const REAL* var, const REAL* gamma, const REAL* beta,
    REAL* Y, REAL eps, int rows, int c)
{
    if (COLUMN >= c) return;
    REAL center = mean[COLUMN], scale = REAL(1) / sqrt(var[COLUMN] + eps);
    REAL factor = gamma[COLUMN], shift = beta[COLUMN];
    for (int row = FIRST_ROW; row < rows; row += NEXT_ROW)
        Y[row * c + COLUMN] = (X[row * c + COLUMN] - center) * scale * factor + shift;
}

// sums[0] = dbeta = sum over rows of dY, sums[1] = dgamma = sum over rows of dY * N, with the
// normalised N = (X - mean) / sqrt(var + eps).
extern "C" __global__ void batchnorm_param_grads(
    const REAL* dY, const REAL* X, const REAL* mean, const REAL* var, REAL eps,
    double* partial, REAL* sums, int rows, int c)
{
    double dbeta = 0, dgamma = 0;
    if (COLUMN < c) {
        REAL center = mean[COLUMN], scale = REAL(1) / sqrt(var[COLUMN] + eps);
        for (int row = FIRST_ROW; row < rows; row += NEXT_ROW) {
            int k = row * c + COLUMN;
            dbeta += dY[k];
            dgamma += dY[k] * ((X[k] - center) * scale);
        }
    }
    leave_sum(dbeta, 0, partial, sums, c);
    leave_sum(dgamma, 1, partial, sums, c);
}

// dX = gamma / sqrt(var + eps) * (dY - dbeta / rows - N * dgamma / rows), the last two only where
// the statistics are the batch's own (train).
extern "C" __global__ void batchnorm_input_grad(
    const REAL* dY, const REAL* X, const REAL* mean, const REAL* var, const REAL* gamma,
    const REAL* sums, REAL* dX, REAL eps, int train, int rows, int c)
{
    if (COLUMN >= c) return;
    REAL center = mean[COLUMN], scale = REAL(1) / sqrt(var[COLUMN] + eps);
    REAL factor = gamma[COLUMN] * scale;
    REAL dmean = train ? sums[COLUMN] / rows : REAL(0);
    REAL dscale = train ? sums[c + COLUMN] / rows : REAL(0);
    for (int row = FIRST_ROW; row < rows; row += NEXT_ROW) {
        int k = row * c + COLUMN;
        dX[k] = (dY[k] - dmean - (X[k] - center) * scale * dscale) * factor;
    }
}


// Adam ----------------------------------------------------------------------------------------------

// What changes from step to step lies on the device, because a CUDA graph repeats its arguments.
enum { LR, B1, B2, EPS, T, RATE, SHIFT };

// t = t + 1; scale = sqrt((1 - b2^t) / (1 - b2)); rate = lr * scale * (1 - b1) / (1 - b1^t) and
// shift = eps * scale, see optim.Adam. One thread.
extern "C" __global__ void adam_tick(double* clock)
{
    double t = clock[T] + 1;
    double scale = sqrt((1 - pow(clock[B2], t)) / (1 - clock[B2]));
    clock[T] = t;
    clock[RATE] = clock[LR] * scale * (1 - clock[B1]) / (1 - pow(clock[B1], t));
    clock[SHIFT] = clock[EPS] * scale;
}

// m = b1 m + g;  v = b2 v + g^2;  p = p - rate * m / (sqrt(v) + shift): optim.Adam in one pass. The
// gradient is left as it is: what is written next overwrites it, and zeros would cost a pass.
// Grid: enough blocks to fill the card; each thread takes every so many-th number.
extern "C" __global__ void adam(
    REAL* data, const REAL* grad, REAL* m, REAL* v, const double* clock, int size)
{
    REAL b1 = REAL(clock[B1]), b2 = REAL(clock[B2]);
    REAL rate = REAL(clock[RATE]), shift = REAL(clock[SHIFT]);
    int step = gridDim.x * blockDim.x;
    for (int k = blockIdx.x * blockDim.x + threadIdx.x; k < size; k += step) {
        REAL g = grad[k];
        REAL first = m[k] * b1 + g, second = v[k] * b2 + g * g;
        m[k] = first;
        v[k] = second;
        data[k] -= first / (sqrt(second) + shift) * rate;
    }
}
