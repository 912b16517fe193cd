/* num.h - thin wrappers of numerical libraries: dense products, eigenvalues, differential
 * equations; and the kernels of convolution.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_NUM_H
#define MHO_MODEL_NUM_H

#include "mho/model/entry.h"

/** Put OpenBLAS on one thread a product (products are cut into tasks by mho, so that results do not
 *  depend on the number of threads). Process-wide: the command calls it at start, and so should a
 *  program that uses the library. */
MHO_API void mho_blas_init(void);
/** Names of the kernels that products run on ("SkylakeX, libxsmm skx"): those of OpenBLAS, and
 *  where it is built in, of libxsmm, which takes narrow products, gradients and those in panels. */
MHO_API const char *mho_blas_kernel(void);
/** The kernels this processor could run but OpenBLAS did not recognize it for, as the value that
 *  the environment variable OPENBLAS_CORETYPE must have before the library is loaded; NULL when the
 *  present ones are right. (OpenBLAS 0.3.21 falls back to SSE3 kernels, five times slower, on
 *  processors newer than itself.) */
MHO_API const char *mho_blas_better_kernel(void);

/** C = alpha op(A) op(B) + beta C, row-major, on the calling thread. C must not overlap A or B.
 *  op(A) [m x k], op(B) [k x n], C [m x n]; ta, tb: use the transpose of the stored matrix. */
MHO_API void mho_gemm(bool ta, bool tb, int m, int n, int k, mho_real alpha, const mho_real *a,
                      int lda, const mho_real *b, int ldb, mho_real beta, mho_real *c, int ldc);
/** The same in double precision, whatever mho_real is. */
MHO_API void mho_gemm_double(bool ta, bool tb, int m, int n, int k, double alpha, const double *a,
                             int lda, const double *b, int ldb, double beta, double *c, int ldc);

/** k += X X^T in double precision, of sums in single precision where mho_real is; X [rows x n], k
 *  [rows x rows]. For a few long rows. */
MHO_API void mho_add_gram(int rows, int n, const mho_real *x, double *k);

/** A factor B [k x n] of many products in panels: groups of MHO_PANEL of its columns, the last one
 *  narrower, each [k x width] in one piece, k n numbers in all. */
enum { MHO_PANEL = 32 };
/** Whether a product with a factor [k x n] is faster in panels than by mho_gemm: a wide one in
 *  single precision, with libxsmm. They work in any case. */
MHO_API bool mho_panels_pay(int n, int k);
/** Fill panels first .. first+count-1 (those there are) from op(B) [k x n]. */
MHO_API void mho_panels_fill(bool tb, int n, int k, const mho_real *b, int ldb, int first,
                             int count, mho_real *panels);
/** C = alpha A B + beta C as mho_gemm does, A [m x k], with B in panels. */
MHO_API void mho_panels_gemm(int m, int n, int k, mho_real alpha, const mho_real *a, int lda,
                             const mho_real *panels, mho_real beta, mho_real *c, int ldc);

/** Whether mho_panels_gemm_int16 takes less time than mho_panels_gemm: half of it, on processors
 *  with AVX-512 VNNI, in single precision and with libxsmm. */
MHO_API bool mho_int16_pays(void);
/** The n numbers x as whole multiples of a unit: 1/32700 of the largest norm of 256 in a row
 *  (numbers 0 to 255, 256 to 511 and so on), so that rounding costs 1e-4 of their rms. @return the
 *  unit; NaN, and all of them 0, where the squares of x have no finite sum */
MHO_API mho_real mho_int16_from(int n, const mho_real *x, int16_t *out);
/** C = A B, or C += A B where `add`, with row i of A [m x k] in units[i] and B [k x n] in panels,
 *  which are rounded on the way. The error of an element is 2e-4 of the size of all, if signs are
 *  random, and at most 1/32700 sqrt(k) of the norms of its row and of the largest column in the
 *  panel. The same bits on every processor. */
MHO_API void mho_panels_gemm_int16(int m, int n, int k, const int16_t *a, const mho_real *units,
                                   const mho_real *panels, bool add, mho_real *c, int ldc);

/* ---------------------------------------------------------------- convolution and pooling */

/** A convolution as a product: what it reads at one position of its target is a patch of the
 *  source, a row vector that is multiplied with a matrix [kernel^2 channels x out_channels]. The
 *  target lies position after position, the channels of a position side by side. So does the
 *  source, with rows of the matrix in the order (ky, kx, channel); or it is planar, one channel's
 *  plane after the other, with rows in the order (channel, ky, kx). */
typedef struct mho_conv {
  int channels, height, width; /**< of the source */
  bool planar;
  int kernel, stride, padding; /**< zeros around the source; kernel 0: there is no convolution */
  int out_channels, out_height, out_width;
} mho_conv;

static inline int mho_conv_rows(const mho_conv *g) { /* numbers in a patch */
  return g->kernel * g->kernel * g->channels;
}
static inline int mho_conv_positions(const mho_conv *g) {
  return g->out_height * g->out_width;
}
static inline size_t mho_conv_source(const mho_conv *g) { /* numbers in a sample of the source */
  return (size_t)g->channels * (size_t)g->height * (size_t)g->width;
}
/** Fill in the target's height and width. @return false when the kernel is larger than the padded
 *  source. */
MHO_API bool mho_conv_fit(mho_conv *g);
/** Rows row0 .. row0+rows-1 of the patches at positions first .. first+n-1, counted through all
 *  samples.
 *  @param x    [samples x source].
 *  @param out  [n x ld], the first `rows` of each line written. */
MHO_API void mho_conv_gather(const mho_conv *g, const mho_real *x, int first, int n, int row0,
                             int rows, mho_real *out, int ld);
/** The adjoint of the gathering: add patches, [n x ld], to where they come from. With ld 0 one
 *  patch stands for all of them. */
MHO_API void mho_conv_scatter(const mho_conv *g, const mho_real *patches, int ld, int first, int n,
                              mho_real *x);
/** The number of the source that is row `row` of the patch at a position; -1 in the border. */
MHO_API int mho_conv_unit(const mho_conv *g, int position, int row);

/** The same without patches, where mho_conv_is_direct: with channels enough, in single precision,
 *  with libxsmm. The rows of the matrices are those of the patches; n samples of source x and
 *  target v. */
MHO_API bool mho_conv_is_direct(const mho_conv *g);
/** out += x w, out [n x target]; w [rows x out_channels]. */
MHO_API void mho_conv_forward(const mho_conv *g, int n, const mho_real *x, const mho_real *w,
                              mho_real *out);
/** The adjoint: x += scale v w^T. scratch: [rows x out_channels]. */
MHO_API void mho_conv_back(const mho_conv *g, int n, const mho_real *v, const mho_real *w,
                           mho_real scale, mho_real *x, mho_real *scratch);
/** Rows row0 .. row0+rows-1 of the gradient by w: out += x^T v, summed over positions and
 *  samples. */
MHO_API void mho_conv_gradient(const mho_conv *g, int n, const mho_real *x, const mho_real *v,
                               int row0, int rows, mho_real *out);

/** The largest of every size x size window, windows side by side; a border narrower than a window
 *  is left out. Of equal ones the first wins, row by row. Channels of a position lie side by
 *  side. */
typedef struct mho_pool_window {
  int channels, height, width;
  int size; /**< 0: there is no pooling; at most MHO_POOL_SIZE_MAX */
} mho_pool_window;
enum { MHO_POOL_SIZE_MAX = 15 };

static inline int mho_pool_outputs(const mho_pool_window *p) {
  return p->channels * (p->height / p->size) * (p->width / p->size);
}
/** The largest of every window, for n samples: z [n x channels height width], out [n x outputs]. */
MHO_API void mho_pool_max(const mho_pool_window *p, int n, const mho_real *z, mho_real *out);
/** Which unit of every window it is, counted row by row, [n x outputs]. */
MHO_API void mho_pool_winners(const mho_pool_window *p, int n, const mho_real *z, uint8_t *winner);
/** out = v where z is largest, [n x outputs]; v, z: [n x channels height width]. */
MHO_API void mho_pool_take(const mho_pool_window *p, int n, const mho_real *v, const mho_real *z,
                           mho_real *out);
/** Its adjoint, for the winners of z: out = v there and 0 elsewhere, or out += when `add`; v [n x
 *  outputs]. */
MHO_API void mho_pool_give(const mho_pool_window *p, int n, const mho_real *v,
                           const uint8_t *winner, bool add, mho_real *out);
/** The adjoints of mho_pool_give and mho_pool_take: out [n x outputs] is v of the winners, and v
 *  [n x outputs] goes where z is largest. They are of different units where winners are held and
 *  are no longer the largest. */
MHO_API void mho_pool_pick(const mho_pool_window *p, int n, const mho_real *v,
                           const uint8_t *winner, mho_real *out);
MHO_API void mho_pool_put(const mho_pool_window *p, int n, const mho_real *v, const mho_real *z,
                          bool add, mho_real *out);

/** Lambert's W of e^z for any z: the w > 0 with w + ln w = z, to rounding. */
MHO_API double mho_lambert_w_exp(double z);

/* ---------------------------------------------------------------- eigenvalues */

/* GSL's error handler aborts the program: one that uses what follows should call
 * gsl_set_error_handler_off() at start, as the command does; failures are then returned. */

/** All eigenvalues of a dense matrix (GSL), to about 1e-15 of its norm times the eigenvalue's
 *  condition.
 *  @param a   [n x n] row-major; destroyed.
 *  @param re  im: [n], in no particular order.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR when the iteration does not converge (entries that are
 *          not finite). */
MHO_API mho_err mho_eigen_dense(int n, double *a, double *re, double *im, mho_errinfo *ei);

/** y = A x, [n] each, no alias. */
typedef void (*mho_linear)(const void *user, const double *x, double *y);
enum { MHO_EIGEN_KRYLOV = 400 }; /* most vectors of a Krylov space */
/** Largest |eigenvalue| of a matrix that is only known by its products, by Arnoldi's process: up to
 *  MHO_EIGEN_KRYLOV products, and as many vectors of n numbers.
 *
 *  @param residual  nullable: |A x - lambda x| for the unit vector x that belongs to it. Up to 1e-8
 *                   of the radius it has converged (a symmetric A's error is at most the residual;
 *                   else it is that times the eigenvalue's condition). It stays larger where
 *                   eigenvalues crowd at the edge of the spectrum: the radius then comes out a
 *                   little low, by 1e-4 for the Laplacian of a line of 2500 points.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR when the projected matrix's eigenvalues do not
 *          converge; MHO_EDIVERGED when A has entries that are not finite. */
MHO_API mho_err mho_eigen_radius(int n, mho_linear apply, const void *user, double *radius,
                                 double *residual, mho_errinfo *ei);

/* ---------------------------------------------------------------- differential equations */

/** The steppers, explicit ones and msadams first; those from rk1imp on are implicit and need the
 *  Jacobian. */
#define MHO_ODE_WORDS "rk2|rk4|rkf45|rkck|rk8pd|msadams|rk1imp|rk2imp|rk4imp|bsimp|msbdf"
/** A stepper; its word is that of MHO_ODE_WORDS in the same place. */
typedef enum mho_ode_method {
  MHO_ODE_RK2,
  MHO_ODE_RK4,
  MHO_ODE_RKF45,
  MHO_ODE_RKCK,
  MHO_ODE_RK8PD,
  MHO_ODE_MSADAMS,
  MHO_ODE_RK1IMP,
  MHO_ODE_RK2IMP,
  MHO_ODE_RK4IMP,
  MHO_ODE_BSIMP,
  MHO_ODE_MSBDF,
  MHO_ODE_METHODS
} mho_ode_method;
/** Whether a stepper solves equations with the dense Jacobian in every step. */
MHO_API bool mho_ode_implicit(mho_ode_method method);

/** dy/dt = f(t, y), n numbers. */
typedef struct mho_ode_system {
  int n;
  /** Fill dydt, [n]; false when it cannot (numbers that are not finite): the step is given up. */
  bool (*rates)(void *user, double t, const double *y, double *dydt);
  /** Dfdy [n x n] row-major, dfdt [n]; needed by implicit steppers. */
  void (*jacobian)(void *user, double t, const double *y, double *dfdy, double *dfdt);
} mho_ode_system;

typedef struct mho_ode mho_ode;
/** Memory for systems of that size; nothing is allocated afterwards. */
MHO_API mho_err mho_ode_new(mho_ode_method method, const mho_ode_system *system, mho_ode **out,
                            mho_errinfo *ei);
/** Frees the memory of a stepper; NULL is allowed. */
MHO_API void mho_ode_free(mho_ode *o);
/** A new trajectory: what f gets as `user`, the first step to try, and the error allowed a step,
 *  absolute + relative |y|, of the number that is worst off. */
MHO_API void mho_ode_start(mho_ode *o, void *user, double step, double absolute, double relative);
/** One step of adaptive length, at most to t = end, with the error under control; t and y [n] go
 *  on.
 *  @param rate  nullable: dy/dt at the end of the step, valid until the next call.
 *  @return MHO_OK; MHO_EDIVERGED when f gives up or no step is short enough. */
MHO_API mho_err mho_ode_step(mho_ode *o, double *t, double end, double *y, const double **rate);
/** One step of exactly `step`, whatever its error. */
MHO_API mho_err mho_ode_fixed_step(mho_ode *o, double *t, double step, double *y);
/** Evaluations of f since the start of the trajectory. */
MHO_API int64_t mho_ode_evaluations(const mho_ode *o);

#endif
