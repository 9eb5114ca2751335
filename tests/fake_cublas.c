/* cuBLAS's interface on the host's memory, with the checks that its documentation states.
 *
 * Statuses: 0 success, 1 not initialised, 7 invalid value, 15 not supported. With compute type 77
 * (TF32) factors are cut to 10 bits, so that a test can see that it was asked for. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct handle { int magic; void* stream; void* workspace; size_t bytes; };

int created = 0;
void* last_stream = 0;

int cublasCreate_v2(struct handle** out)
{
    if (!out) return 7;
    *out = calloc(1, sizeof **out);
    (*out)->magic = 4242;
    created++;
    return 0;
}

int cublasSetStream_v2(struct handle* h, void* stream)
{
    if (!h || h->magic != 4242) return 1;
    h->stream = last_stream = stream;
    h->workspace = 0;  /* as documented: it goes back to the default one */
    h->bytes = 0;
    return 0;
}

int cublasSetWorkspace_v2(struct handle* h, void* workspace, size_t bytes)
{
    if (!h || h->magic != 4242) return 1;
    if ((uintptr_t)workspace % 256 || bytes < 16384) return 7;
    h->workspace = workspace;
    h->bytes = bytes;
    return 0;
}

static double number(const void* array, int type, size_t at, int tf32)
{
    if (type == 1) return ((const double*)array)[at];
    float x = ((const float*)array)[at];
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (tf32) bits &= 0xffffe000u;
    memcpy(&x, &bits, 4);
    return x;
}

int cublasGemmEx(struct handle* h, int ta, int tb, int m, int n, int k,
                 const void* alpha, const void* A, int a_type, int lda,
                 const void* B, int b_type, int ldb,
                 const void* beta, void* C, int c_type, int ldc, int compute, int algorithm)
{
    if (!h || h->magic != 4242) return 1;
    if (!h->workspace || h->bytes < (32u << 20)) return 14;  /* would allocate during capture */
    if (m < 0 || n < 0 || k < 0 || ta < 0 || ta > 2 || tb < 0 || tb > 2) return 7;
    int a_rows = ta ? k : m, b_rows = tb ? n : k;
    if (lda < (a_rows > 1 ? a_rows : 1) || ldb < (b_rows > 1 ? b_rows : 1)) return 7;
    if (ldc < (m > 1 ? m : 1) || !alpha || !beta || !A || !B || !C) return 7;
    if (a_type != b_type || a_type != c_type || (a_type != 0 && a_type != 1)) return 15;
    if (a_type == 0 && compute != 68 && compute != 77) return 15;
    if ((a_type == 1 && compute != 70) || algorithm != -1) return 15;
    double a = a_type ? *(const double*)alpha : *(const float*)alpha;
    double b = a_type ? *(const double*)beta : *(const float*)beta;
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += number(A, a_type, ta ? l + (size_t)i * lda : i + (size_t)l * lda, compute == 77)
                     * number(B, b_type, tb ? j + (size_t)l * ldb : l + (size_t)j * ldb, compute == 77);
            size_t at = i + (size_t)j * ldc;
            double old = b ? b * number(C, c_type, at, 0) : 0;  /* beta 0: C is not read */
            if (c_type) ((double*)C)[at] = a * sum + old;
            else ((float*)C)[at] = (float)(a * sum + old);
        }
    return 0;
}
