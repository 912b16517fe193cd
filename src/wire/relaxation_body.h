/* relaxation_body.h - the body of relaxation.h, once for each scalar: REAL, LANES, NAME(f).
 * SPDX-License-Identifier: GPL-3.0-or-later */
enum { NAME(WIDTH) = RELAX_VECTOR_BYTES / (int)sizeof(REAL), NAME(VECTORS) = LANES / NAME(WIDTH) };
typedef REAL NAME(vec) __attribute__((vector_size(RELAX_VECTOR_BYTES)));
#define VEC      NAME(vec)
#define EACH     _Pragma("GCC unroll 4") for (int k = 0; k < NAME(VECTORS); k++)
#define EACH_ROW _Pragma("GCC unroll 4") for (int r = 0; r < n; r++)
#define AT(p)    ((VEC *)__builtin_assume_aligned((p), 64))
#define ATC(p)   ((const VEC *)__builtin_assume_aligned((p), 64))

#define RELAXATION NAME(relaxation)
typedef struct RELAXATION {
  int rows, cols;
  const REAL *cw, *caw;      /* word lines */
  const REAL *back;          /* of the elimination that is substituted back */
  const REAL *next, *next_a; /* of the one in the direction of travel */
  const REAL *v_word;        /* [rows][lanes], nullable */
  REAL *u;                   /* [rows][cols][lanes] eliminated bit lines */
  REAL *x, *before;          /* iterates; NULL in a plain plan */
  REAL *g;                   /* [cols][lanes] the row before, substituted back */
  REAL *t;                   /* [cols][MHO_RELAX_ROWS][lanes] */
  const REAL *u_start;       /* [cols][lanes] what the elimination starts from */
  REAL a, b, c;
  REAL *first;
} RELAXATION;

/* n rows from i on, in the direction of step. */
static inline __attribute__((always_inline)) void
NAME(group)(const RELAXATION *s, int i, const int step, const int n, const bool plain) {
  size_t cols = (size_t)s->cols;
  VEC carry[MHO_RELAX_ROWS][NAME(VECTORS)];
  memset(carry, 0, sizeof carry);

  /* bit lines are substituted back, and word lines eliminated from their open ends */
  for (size_t j = cols; j-- > 0;) {
    VEC g[NAME(VECTORS)];
    EACH g[k] = ATC(s->g + j * LANES)[k];
    EACH_ROW {
      size_t cell = (size_t)(i + r * step) * cols + j;
      const VEC *u = ATC(s->u + cell * LANES);
      VEC *t = AT(s->t + (j * MHO_RELAX_ROWS + (size_t)r) * LANES), v[NAME(VECTORS)];
      REAL back = s->back[cell], cw = s->cw[cell], caw = s->caw[cell];
      EACH v[k] = g[k] = u[k] + back * g[k];
      if (!plain) {
        const VEC *x = ATC(s->x + cell * LANES);
        VEC *before = AT(s->before + cell * LANES);
        EACH before[k] = v[k] = s->a * g[k] + s->b * x[k] + s->c * before[k];
      }
      EACH t[k] = carry[r][k] = caw * v[k] + cw * carry[r][k];
    }
    EACH AT(s->g + j * LANES)[k] = g[k];
  }

  /* word lines are substituted back from their drivers, and bit lines eliminated */
  EACH_ROW {
    EACH carry[r][k] = s->v_word ? ATC(s->v_word + (size_t)(i + r * step) * LANES)[k] : (VEC){0};
  }
  bool start = step < 0 ? i == s->rows - 1 : i == 0;
  for (size_t j = 0; j < cols; j++) {
    VEC u[NAME(VECTORS)];
    const VEC *from =
        ATC(start ? s->u_start + j * LANES : s->u + ((size_t)(i - step) * cols + j) * LANES);
    EACH u[k] = from[k];
    EACH_ROW {
      size_t cell = (size_t)(i + r * step) * cols + j;
      const VEC *t = ATC(s->t + (j * MHO_RELAX_ROWS + (size_t)r) * LANES);
      REAL cw = s->cw[cell], next = s->next[cell], next_a = s->next_a[cell];
      EACH carry[r][k] = t[k] + cw * carry[r][k];
      EACH AT(s->u + cell * LANES)[k] = u[k] = next_a * carry[r][k] + next * u[k];
    }
    if (j == 0 && s->first) {
      EACH_ROW {
        EACH AT(s->first + (size_t)(i + r * step) * LANES)[k] = carry[r][k];
      }
    }
  }
}

static void NAME(relax_rows)(const RELAXATION *s, int step, const bool plain) {
  int i = step < 0 ? s->rows - 1 : 0, left = s->rows;
  for (; left >= MHO_RELAX_ROWS; left -= MHO_RELAX_ROWS, i += MHO_RELAX_ROWS * step)
    NAME(group)(s, i, step, MHO_RELAX_ROWS, plain);
  for (; left > 0; left--, i += step)
    NAME(group)(s, i, step, 1, plain);
}

void NAME(mho__relax_run)(int rows, int cols, const REAL *coefficients, const mho_relax_plan *plan,
                          const REAL *v_word, const REAL *end, REAL *work, REAL *first,
                          const REAL **x) {
  size_t cells = (size_t)rows * (size_t)cols, line = (size_t)cols * LANES, block = cells * LANES;
  const REAL *co[MHO_RELAX_COEFFICIENTS];

  for (int k = 0; k < MHO_RELAX_COEFFICIENTS; k++)
    co[k] = coefficients + (size_t)k * cells;

  /* what lies where in `work`, and how it starts */
  REAL *zero = work, *ends = zero + line;
  RELAXATION s = {.rows = rows, .cols = cols, .v_word = v_word};
  s.cw = co[MHO_RELAX_CW];
  s.caw = co[MHO_RELAX_CAW];
  s.g = ends + line;
  s.t = s.g + line;
  s.u = s.t + line * MHO_RELAX_ROWS;
  if (!plan->plain) {
    s.x = s.u + block;
    s.before = s.x + block;
    memset(s.x, 0, 2 * block * sizeof *s.x);
  }

  memset(zero, 0, line * sizeof *zero);
  memset(s.u, 0, block * sizeof *s.u);
  if (end)
    memcpy(ends, end, line * sizeof *ends);
  else
    memset(ends, 0, line * sizeof *ends);

  /* up and down in turn */
  double mu = plan->rho / (2 - plan->rho), gamma = 2 / (2 - plan->rho), omega = 1;
  for (int k = 0; k < plan->n; k++) {
    bool up = k % 2 == 0;
    if (k > 1)
      omega = k == 2 ? 1 / (1 - mu * mu / 2) : 1 / (1 - mu * mu * omega / 4);
    s.a = k ? (REAL)(omega * gamma) : 1;
    s.b = k ? (REAL)(omega * (1 - gamma)) : 0;
    s.c = k > 1 ? (REAL)(1 - omega) : 0;
    s.back = co[up ? MHO_RELAX_TOP : MHO_RELAX_BOTTOM];
    s.next = co[up ? MHO_RELAX_BOTTOM : MHO_RELAX_TOP];
    s.next_a = co[up ? MHO_RELAX_BOTTOM_A : MHO_RELAX_TOP_A];
    s.u_start = up ? ends : zero;
    memcpy(s.g, up ? ends : zero, line * sizeof *s.g);
    s.first = k + 1 == plan->n ? first : NULL;

    if (plan->plain) {
      NAME(relax_rows)(&s, up ? -1 : 1, true);
    } else {
      NAME(relax_rows)(&s, up ? -1 : 1, false);
      REAL *newest = s.before;
      s.before = s.x;
      s.x = newest;
    }
  }
  if (x)
    *x = s.x;
}

/* Word lines from their open ends. @return the least share of a voltage that reaches one. */
static double NAME(eliminate_words)(size_t rows, size_t n, const double *aw, REAL *cw, REAL *caw) {
  double least = 1;
  for (size_t i = 0; i < rows; i++) {
    double s = 0, far = 1;
    for (size_t k = (i + 1) * n; k-- > i * n;) {
      s = aw[k] + s / (1 + s);
      double c = 1 / (1 + s);
      far *= c;
      cw[k] = (REAL)c;
      caw[k] = (REAL)(c * aw[k]);
    }
    least = far < least ? far : least;
  }
  return least;
}

/* m bit lines at once, from j0 on, from both ends; `out` as prepared.
 * @return the least share of an end's voltage that reaches the top of one. */
static double NAME(eliminate_bits)(size_t rows, size_t n, size_t j0, size_t m, const double *ab,
                                   REAL *out) {
  double s[LANES] = {0}, far[LANES], least = 1;
  size_t cells = rows * n;
  REAL *top = out + MHO_RELAX_TOP * cells, *top_a = out + MHO_RELAX_TOP_A * cells;
  REAL *bottom = out + MHO_RELAX_BOTTOM * cells, *bottom_a = out + MHO_RELAX_BOTTOM_A * cells;

  for (size_t j = 0; j < m; j++)
    far[j] = 1;

  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < m; j++) {
      size_t k = i * n + j0 + j;
      s[j] = ab[k] + s[j] / (1 + s[j]);
      double c = 1 / (1 + s[j]);
      far[j] *= c;
      top[k] = (REAL)c;
      top_a[k] = (REAL)(c * ab[k]);
    }

  for (size_t j = 0; j < m; j++) {
    least = far[j] < least ? far[j] : least;
    s[j] = 1e300; /* the end: nothing but the segment */
  }

  for (size_t i = rows; i-- > 0;)
    for (size_t j = 0; j < m; j++) {
      size_t k = i * n + j0 + j;
      s[j] = ab[k] + (s[j] < 1e299 ? s[j] / (1 + s[j]) : 1);
      double c = i ? 1 / (1 + s[j]) : 1 / s[j];
      bottom[k] = (REAL)c;
      bottom_a[k] = (REAL)(c * ab[k]);
    }
  return least;
}

void NAME(mho__relax_prepare)(int rows, int cols, const double *aw, const double *ab, REAL *out,
                              double *rho) {
  size_t n = (size_t)cols, cells = (size_t)rows * n;
  double word = NAME(eliminate_words)((size_t)rows, n, aw, out + MHO_RELAX_CW * cells,
                                      out + MHO_RELAX_CAW * cells);

  double bit = 1;
  for (size_t j0 = 0; j0 < n; j0 += LANES) {
    size_t m = mho_min_size(n - j0, LANES);
    double least = NAME(eliminate_bits)((size_t)rows, n, j0, m, ab, out);
    bit = least < bit ? least : bit;
  }

  *rho = (1 - word) * (1 - bit);
}
#undef RELAXATION
#undef VEC
#undef EACH
#undef EACH_ROW
#undef AT
#undef ATC
