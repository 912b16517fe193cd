/* base.h - what every layer stands on: errors, parameters with units, random numbers, threads,
 * context.
 *
 * The library never exits, never prints and keeps no global state. Functions that can fail return
 * mho_err and take a nullable mho_errinfo as their last argument.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_H
#define MHO_BASE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MHO_VERSION "0.2.0"
#if defined(__GNUC__)
#define MHO_API          __attribute__((visibility("default")))
#define MHO_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MHO_API
#define MHO_PRINTF(f, a)
#endif

#ifdef __cplusplus
#define MHO_ALIGNAS alignas
#else
#define MHO_ALIGNAS _Alignas
#endif

/** Scalar of activations, weights and gradients: float, or double in the library built with
 *  MHO_DOUBLE, which the tests use to tell rounding from error. */
#ifdef MHO_DOUBLE
typedef double mho_real;
#else
typedef float mho_real;
#endif

/** Version of the library that the program runs with, "0.2.0"; MHO_VERSION is that of the headers
 *  it was compiled with. */
MHO_API const char *mho_version(void);
/** Bytes of an mho_real in the library that the program runs with, for programs that do not compile
 *  these headers: 4, or 8 of one built with MHO_DOUBLE. */
MHO_API size_t mho_real_size(void);

/* ---------------------------------------------------------------- errors */

/** X(name, message, bad input?) Bad input is what the user can mend: the command exits 2 for it,
 *  else 1. */
#define MHO_ERRORS(X)                                                                              \
  X(OK, "done", 0)                                                                                 \
  X(EINVAL, "invalid argument", 1)                                                                 \
  X(ENOMEM, "out of memory", 0)                                                                    \
  X(ECONFIG, "bad configuration", 1)                                                               \
  X(EDATA, "bad data file", 1)                                                                     \
  X(ENOTFOUND, "not found", 1)                                                                     \
  X(EIO, "input/output error", 1)                                                                  \
  X(ESTORE, "run database error", 1)                                                               \
  X(ESINGULAR, "singular system", 0)                                                               \
  X(EDIVERGED, "diverged", 0)                                                                      \
  X(ESPICE, "ngspice error", 0)                                                                    \
  X(EUNSUPPORTED, "not in this build", 1)                                                          \
  X(EINTERRUPTED, "interrupted", 0)                                                                \
  X(EDISK, "the disk is full or fails", 0)

/** What a function that can fail returns. */
typedef enum mho_err {
#define X(name, message, input) MHO_##name,
  MHO_ERRORS(X)
#undef X
      MHO_ERR_COUNT
} mho_err;

#define MHO_MESSAGE_MAX 768
#define MHO_TEXT_MAX    512
#define MHO_COUNT(a)    ((int)(sizeof(a) / sizeof((a)[0])))

/** Where and why: a sentence, and the place in the user's input it speaks of. */
typedef struct mho_errinfo {
  char message[MHO_MESSAGE_MAX];
  char file[MHO_TEXT_MAX]; /**< empty: no file */
  int line;                /**< 1-based; 0: none */
  /** Of a cell, 0-based; with a file and a line, col is the character; -1: none. */
  long row, col;
} mho_errinfo;

/** The general message of an error ("bad configuration"). */
MHO_API const char *mho_err_text(mho_err err);
/** Whether the user's input is at fault (the command exits 2), rather than the run (1). */
MHO_API bool mho_err_is_input(mho_err err);
/** Fill ei (nullable) with a sentence and return err, so that `return mho_fail(...)` reads well. */
MHO_API mho_err mho_fail(mho_errinfo *ei, mho_err err, const char *format, ...) MHO_PRINTF(3, 4);
/** The same with a place: file (nullable) and 1-based line (0: none). */
MHO_API mho_err mho_fail_at(mho_errinfo *ei, mho_err err, const char *file, int line,
                            const char *format, ...) MHO_PRINTF(5, 6);

/* ---------------------------------------------------------------- context */

/** How urgent a message is. */
typedef enum mho_log_level { MHO_LOG_INFO, MHO_LOG_WARNING } mho_log_level;
typedef struct mho_pool mho_pool;

/** What a long call may use and whom it tells. All members nullable; a null context is a quiet
 *  serial one. */
typedef struct mho_context {
  mho_pool *pool;
  void (*log)(void *user, mho_log_level level, const char *message);
  /** What is being done, how far (done of total), and a short note to show beside it ("loss
   *  0.31"). */
  void (*progress)(void *user, const char *what, long done, long total, const char *note);
  /** Becomes nonzero when the caller wants the call to end early. */
  const volatile sig_atomic_t *stop;
  void *user;
} mho_context;

/** Pass a message on, formatted as by printf; without a context or a `log` it is dropped. */
MHO_API void mho_log(const mho_context *ctx, mho_log_level level, const char *format, ...)
    MHO_PRINTF(3, 4);
/** Say how far a call is: see mho_context.progress; `note` is nullable. */
MHO_API void mho_progress(const mho_context *ctx, const char *what, long done, long total,
                          const char *note);
/** Whether the caller wants the call to end early. */
MHO_API bool mho_stopped(const mho_context *ctx);

/* ---------------------------------------------------------------- small arithmetic */

/** The smaller of two numbers. */
static inline int mho_min(int a, int b) {
  return a < b ? a : b;
}

/** The larger of two numbers. */
static inline int mho_max(int a, int b) {
  return a > b ? a : b;
}

/** The smaller of two sizes. */
static inline size_t mho_max_size(size_t a, size_t b) {
  return a > b ? a : b;
}
static inline size_t mho_min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

/** Standard deviation of n samples from their sum and the sum of their squares; NaN below two. */
MHO_API double mho_deviation(int n, double sum, double squares);

/* ---------------------------------------------------------------- memory, time, text */

/** Zeroed array of n items on a 64-byte boundary, or NULL; free with mho_free. */
MHO_API void *mho_alloc(size_t n, size_t size);
/** Frees what mho_alloc gave; NULL is allowed. */
MHO_API void mho_free(void *p);
/** Seconds of a monotonic clock. */
MHO_API double mho_seconds(void);
/** Edit distance of two words, for "did you mean". */
MHO_API int mho_text_distance(const char *a, const char *b);
/** Whether a text is UTF-8 without control characters, as names must be. */
MHO_API bool mho_text_is_plain(const char *text);
/** A copy of n bytes in which what is no UTF-8 is written as \xNN, byte by byte.
 *  @param controls  write control characters so, too.
 *  @return free it with free(); NULL without memory. */
MHO_API char *mho_text_escape(const char *text, size_t n, bool controls);
/** MHO_EINVAL with a sentence unless a name is plain and of at most 255 bytes; `what` is what it
 *  names, "--name:". */
MHO_API mho_err mho_name_check(const char *what, const char *name, mho_errinfo *ei);
/** snprintf onto the end of a string of the given capacity; truncates. */
MHO_API void mho_text_append(char *buf, size_t capacity, const char *format, ...) MHO_PRINTF(3, 4);

/* ---------------------------------------------------------------- matrices of numbers as files */

/** A dense matrix, row-major. */
typedef struct mho_matrix {
  int rows, cols;
  double *v;      /**< [rows x cols] */
  bool is_vector; /**< it is a NumPy file's one dimension, as a row */
} mho_matrix;

/** A matrix from a file, whatever its name: text (mho_matrix_parse) or NumPy's format
 *  (mho_npy_parse).
 *  @param path  "-" is standard input.
 *  @return as the two; MHO_EIO. */
MHO_API mho_err mho_matrix_read(const char *path, mho_matrix *out, mho_errinfo *ei);
/** A matrix from text: a line a row, with commas, semicolons or blanks between the numbers, one
 *  kind of them in a line. Empty lines and lines that start with # are passed over, so is a
 *  byte-order mark.
 *  @param text  has a 0 behind its `length` bytes.
 *  @param name  stands for the file in messages.
 *  @return MHO_OK; MHO_ENOMEM; MHO_EDATA for what is no finite number, a line of another length or
 *          with two kinds of separators (decimal commas), no numbers at all: with file, line, and
 *          in ei->col the 0-based character of the line. */
MHO_API mho_err mho_matrix_parse(const char *text, size_t length, const char *name, mho_matrix *out,
                                 mho_errinfo *ei);
/** Whether bytes begin as a NumPy file does. */
MHO_API bool mho_npy_is(const void *bytes, size_t length);
/** A matrix from the bytes of a NumPy file: float16 to float64, integers and booleans of any byte
 *  order, rows or columns first (Fortran order); one dimension is one row. Integers beyond 2^53 are
 *  rounded. Takes no more memory than 8 bytes for each byte there is.
 *  @param name  stands for the file in messages.
 *  @return MHO_OK; MHO_ENOMEM; MHO_EDATA for other types and shapes, a file of another length than
 *          its header says, a number that is not finite. */
MHO_API mho_err mho_npy_parse(const void *bytes, size_t length, const char *name, mho_matrix *out,
                              mho_errinfo *ei);
/** Frees the numbers and empties the matrix. */
MHO_API void mho_matrix_free(mho_matrix *m);

/* ---------------------------------------------------------------- threads */

/** Processors that this process may run on: those of taskset, a container's cpuset or a batch job;
 *  at least 1. */
MHO_API int mho_processors(void);

/** Pool of worker threads; the calling thread works too, so threads = 1 starts none. threads = 0
 *  asks for one per processor (mho_processors). */
MHO_API mho_err mho_pool_new(int threads, mho_pool **out, mho_errinfo *ei);
/** Ends the threads; NULL is allowed. */
MHO_API void mho_pool_free(mho_pool *pool);
/** Threads that tasks run on, the calling one among them; 1 for a null pool. */
MHO_API int mho_pool_threads(const mho_pool *pool);

/** One task of a parallel region: its index, and the number of the thread that runs it (for
 *  scratch). */
typedef void (*mho_task)(void *arg, int index, int thread);
/** Run tasks 0..n-1, each once, in any order on any thread; returns when all are done. A null pool
 *  runs them in order on the caller. How work is cut into tasks must not depend on the number of
 *  threads: that is what keeps results the same for 1, 2 or 4. Not reentrant. */
MHO_API void mho_pool_run(mho_pool *pool, int n, mho_task task, void *arg);

/* ---------------------------------------------------------------- random numbers */

/** Purposes of random numbers, whose streams never meet. The generator is counter-based: the value
 *  for (seed, stream, step, cell) is a pure function (Philox4x32-10; Salmon et al., "Parallel
 *  random numbers: as easy as 1, 2, 3", SC11), so results do not depend on the number of threads or
 *  on a resume. */
typedef enum mho_rng_use {
  MHO_RNG_WEIGHTS, /**< initial weights and fixed feedback */
  MHO_RNG_CHIP,    /**< device-to-device spread, faults */
  MHO_RNG_ORDER,   /**< order of batches */
  MHO_RNG_PULSE,   /**< cycle-to-cycle noise */
  MHO_RNG_ROUND,   /**< stochastic rounding */
  MHO_RNG_READ,    /**< read noise */
  MHO_RNG_TEST,    /**< free for tests */
  MHO_RNG_WRITE,   /**< errors of verified writes */
  MHO_RNG_PERTURB, /**< perturbations of trials */
  MHO_RNG_SPIKE    /**< inputs that become spikes, ties between neurons */
} mho_rng_use;

/** A stream of random numbers: base/streams.h has one function for each that mho draws from. */
typedef struct mho_rng {
  uint64_t seed;
  uint32_t stream;
} mho_rng;

/** Stream `index` (below 2^24) of a purpose: one per connection, say. */
MHO_API mho_rng mho_rng_make(uint64_t seed, mho_rng_use use, uint32_t index);
/** A seed derived from another, for purpose `use`: how chip, weight, order and noise seeds follow
 *  from one. */
MHO_API uint64_t mho_rng_derive(uint64_t seed, mho_rng_use use);
/** Words for cells cell0 .. cell0+n-1 of a step. */
MHO_API void mho_rng_u32(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, uint32_t *out);
/** Uniform in (0, 1), never 0 or 1, [n]. */
MHO_API void mho_rng_uniform(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, float *out);
/** Standard normal (Box-Muller), [n]. */
MHO_API void mho_rng_normal(mho_rng rng, uint64_t step, uint64_t cell0, size_t n, float *out);
/** The same normals, of scattered cells: cell[i] (any order) of the step, [n]. */
MHO_API void mho_rng_normal_at(mho_rng rng, uint64_t step, size_t n, const uint32_t *cell,
                               float *out);
/** Random permutation of 0..n-1 (Fisher-Yates), [n]. */
MHO_API void mho_rng_permutation(mho_rng rng, uint64_t step, int n, int *out);

/* ---------------------------------------------------------------- quantities */

/** A physical quantity: "10 kohm", "50 ns", "1d" (days for time). MHO_ECONFIG when it is not one of
 *  `unit`. */
MHO_API mho_err mho_quantity_parse(const char *text, const char *unit, bool bare, double *out,
                                   mho_errinfo *ei);

#endif
