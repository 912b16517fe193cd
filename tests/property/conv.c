/* Convolution, pooling and biases, as settlers read them, against plain loops in double on random
 * shapes; the feedback as the adjoint of what leads forward; and what network.conv accepts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/weights.h"
#include "experiment.h"
#include "mho/mho.h"
#include "mho/model/check.h"
#include "settle/links.h"

enum { CASES = 60 };

static uint32_t draws;
/* Uniform whole number, 0 .. n-1. */
static int draw(int n) {
  uint32_t u;
  mho_rng_u32(mho_rng_make(7, MHO_RNG_TEST, 0), 0, draws++, 1, &u);
  return (int)(u % (uint32_t)n);
}

/* Values of which many are equal, so that windows have ties. */
static void fill(mho_real *v, size_t n, bool ties) {
  for (size_t i = 0; i < n; i++)
    v[i] = ties ? (mho_real)0.25 * (mho_real)draw(5) : (mho_real)(draw(2001) - 1000) / 1000;
}

typedef struct random_net {
  char text[128];
  int channels, height, width, n; /* images, samples */
  bool biases;
  mho_network *net;
  mho_state *s;
  mho_thread thread;
  mho_phase p;
} random_net;

/* The samples of the net, for reads. */
static const mho_phase *phase_of(random_net *r) {
  r->p.thread = &r->thread;
  return &r->p;
}

static mho_err make_net(random_net *r, bool asymmetric) {
  static mho_network_config config;
  static mho_feedback_config feedback;
  static mho_device_config device;
  static char params[MHO_CHOICE_MAX], topology[MHO_CHOICE_MAX];
  const mho_topology *t =
      (const mho_topology *)mho_registry_find(registry, MHO_KIND_TOPOLOGY, "conv");
  const mho_entry *ideal = mho_registry_find(registry, MHO_KIND_DEVICE, "ideal");
  mho_params_init(mho_network_params, &config);
  mho_params_init(mho_feedback_params, &feedback);
  mho_params_init(mho_device_params, &device);
  mho_params_init(ideal->params, params);
  mho_params_init(t->entry.params, topology);
  OK(mho_param_parse(&t->entry.params.p[0], r->text, false, topology, &ei));
  config.biases = r->biases;
  config.init = MHO_INIT_FAN_IN;
  feedback.mode = asymmetric ? MHO_FEEDBACK_ASYMMETRIC : MHO_FEEDBACK_SYMMETRIC;
  mho_network_options o = {
      .topology = t,
      .topology_params = topology,
      .config = &config,
      .feedback = &feedback,
      .neuron = (const mho_neuron *)mho_registry_find(registry, MHO_KIND_NEURON, "hard_sigmoid"),
      .device = (const mho_device_model *)ideal,
      .device_params = params,
      .device_config = &device,
      .array = (const mho_array_model *)mho_registry_find(registry, MHO_KIND_ARRAY, "ideal"),
      .seeds = {1, 2, 3, 4},
      .features = r->channels * r->height * r->width,
      .classes = 3,
      .channels = r->channels,
      .height = r->height,
      .width = r->width};
  mho_err err = mho_network_new(&o, &r->net, &ei);
  if (err)
    return err;
  OK(mho_state_new(r->net, r->n, MHO_STATE_INPUT, &r->s, &ei));
  r->thread.scratch = calloc(mho_settle_scratch(r->net, r->n) + 1, sizeof(mho_real));
  r->p = (mho_phase){.net = r->net, .s = r->s, .n = r->n};
  for (int l = 0; l < r->net->n_layers; l++) {
    fill(r->s->z[l], (size_t)r->n * (size_t)r->net->layer[l].n, l % 2);
    mho__choose_winners(phase_of(r), l, r->s->z[l]);
  }

  return MHO_OK;
}

static void free_net(random_net *r) {
  free(r->thread.scratch);
  mho_state_free(r->s);
  mho_network_free(r->net);
}

/* Two convolutions of random shape, with or without pooling, and a dense layer, on random
 * images; with channels for patches and for convolutions without them. */
static random_net draw_net(bool asymmetric) {
  random_net r = {0};
  do {
    char pool[2][8] = {"", ""};
    for (int i = 0; i < 2; i++)
      if (draw(2))
        snprintf(pool[i], sizeof pool[i], "pool%d", 2 + draw(2));
    int k[2] = {1 + draw(5), 1 + draw(4)};
    snprintf(r.text, sizeof r.text, "%dx%ds%dp%d %s %dx%ds%dp%d %s %d", 1 + draw(40), k[0],
             1 + draw(2), draw(k[0]), pool[0], 1 + draw(70), k[1], 1 + draw(3), draw(k[1]), pool[1],
             1 + draw(7));
    r.channels = 1 + draw(3);
    r.height = 3 + draw(12);
    r.width = 3 + draw(12);
    r.n = 1 + draw(4);
    r.biases = draw(2);
  } while (make_net(&r, asymmetric)); /* a shape that does not fit is refused */
  return r;
}

/* ---------------------------------------------------------------- plain loops */

/* Index of unit (channel, y, x) of layer l. */
static size_t unit(const mho_layer *l, bool planar, int c, int y, int x) {
  return planar ? ((size_t)c * (size_t)l->height + (size_t)y) * (size_t)l->width + (size_t)x
                : ((size_t)y * (size_t)l->width + (size_t)x) * (size_t)l->channels + (size_t)c;
}

/* What links read of a layer: pooled activity of sample z as [c][y][x], and the unit that each
 * came from. */
static int pool(const mho_layer *l, bool planar, const mho_real *z, double *out, size_t *from) {
  int side = l->pool.size ? l->pool.size : 1, n = 0;
  for (int c = 0; c < l->channels; c++)
    for (int y = 0; y < l->height / side; y++)
      for (int x = 0; x < l->width / side; x++, n++) {
        from[n] = unit(l, planar, c, y * side, x * side);
        for (int k = 0; k < side * side; k++) {
          size_t at = unit(l, planar, c, y * side + k / side, x * side + k % side);
          if (z[at] > z[from[n]])
            from[n] = at;
        }
        out[n] = (double)z[from[n]];
      }
  return n;
}

/* Row of the crossbar that the input (c, ky, kx) of a patch meets. */
static int row_of(const mho_conv *g, int c, int ky, int kx) {
  return g->planar ? (c * g->kernel + ky) * g->kernel + kx
                   : (ky * g->kernel + kx) * g->channels + c;
}

/* For every weight that joins input i (as pool() counts) to target unit j of connection k: f. */
typedef void (*visit)(void *user, int i, int row, int j, int col);
static void each_weight(const mho_network *net, const mho_connection *k, visit f, void *user) {
  const mho_layer *a = &net->layer[k->from], *b = &net->layer[k->to];
  const mho_conv *g = &k->conv;
  int side = a->pool.size ? a->pool.size : 1, high = a->height / side, wide = a->width / side;

  /* Rows lie as the source does, position by position; outputs count channel by channel. */
  if (!g->kernel) {
    for (int c = 0; c < a->channels; c++)
      for (int q = 0; q < high * wide; q++)
        for (int j = 0; j < b->n; j++)
          f(user, c * high * wide + q, k->from == 0 ? c * high * wide + q : q * a->channels + c, j,
            j);
    return;
  }

  for (int o = 0; o < b->channels; o++)
    for (int y = 0; y < b->height; y++)
      for (int x = 0; x < b->width; x++)
        for (int c = 0; c < g->channels; c++)
          for (int ky = 0; ky < g->kernel; ky++)
            for (int kx = 0; kx < g->kernel; kx++) {
              int iy = y * g->stride - g->padding + ky, ix = x * g->stride - g->padding + kx;
              if (iy >= 0 && iy < high && ix >= 0 && ix < wide)
                f(user, (c * high + iy) * wide + ix, row_of(g, c, ky, kx),
                  (int)unit(b, false, o, y, x), o);
            }
}

typedef struct plain { /* a plain computation of one sample */
  const mho_crossbar *xb;
  const double *in;
  const mho_real *error;
  double *forward, *back, *gradient;
} plain;

static void add_plain(void *user, int i, int row, int j, int col) {
  plain *p = user;
  double w = (double)mho__crossbar_programmed(p->xb)[row * p->xb->cols + col];
  p->forward[j] += w * p->in[i];
  p->back[i] += w * (double)p->error[j];
  p->gradient[row * p->xb->cols + col] += p->in[i] * (double)p->error[j];
}

static void compare(const char *what, random_net *r, size_t n, const mho_real *have,
                    const double *want) {
  double most = 1e-30, worst = 0;
  for (size_t i = 0; i < n; i++) {
    most = fmax(most, fabs(want[i]));
    worst = fmax(worst, fabs((double)have[i] - want[i]));
  }
  if (!(worst <= 1e-5 * fmax(most, 1)))
    fail_msg("%s of %dx%dx%d -> %s: off by %g of %g", what, r->channels, r->height, r->width,
             r->text, worst, most);
}

/* Forward read, transposed read and gradient of one connection. */
static void check_connection(random_net *r, const mho_connection *k) {
  const mho_network *net = r->net;
  const mho_layer *a = &net->layer[k->from], *b = &net->layer[k->to];
  size_t na = (size_t)a->n, nb = (size_t)b->n, cells = (size_t)k->xb->rows * (size_t)k->xb->cols;
  size_t samples = (size_t)r->n, *winner = calloc(na, sizeof *winner);
  mho_real *error = calloc(samples * nb, sizeof *error),
           *have = calloc(samples * (na + nb) + cells, sizeof *have);
  double *in = calloc(na, sizeof *in), *forward = calloc(samples * nb, sizeof *forward);
  double *back = calloc(samples * na, sizeof *back), *gradient = calloc(cells, sizeof *gradient);
  fill(error, samples * nb, false);
  for (size_t s = 0; s < samples; s++) {
    double *sums = calloc(na, sizeof *sums);
    int n = pool(a, k->from == 0, r->s->z[k->from] + s * na, in, winner);
    plain p = {k->xb, in, error + s * nb, forward + s * nb, sums, gradient};
    each_weight(net, k, add_plain, &p);
    for (int i = 0; i < n; i++)
      back[s * na + winner[i]] += sums[i];
    for (size_t j = 0; k->bias && j < nb; j++) {
      size_t cell = cells - (size_t)k->xb->cols + j % (size_t)k->xb->cols;
      forward[s * nb + j] += (double)mho__crossbar_programmed(k->xb)[cell];
      gradient[cell] += (double)p.error[j];
    }
    free(sums);
  }

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *link = &net->link[i];
    if (&net->connection[link->connection] != k)
      continue;
    mho_settle_stats stats = {0};
    mho__link_read(phase_of(r), link, link->transposed ? error : r->s->z[k->from], have, 1, false,
                   &stats);
    assert_true(stats.reads == (double)r->n * k->positions);
    compare(link->transposed ? "feedback" : "forward read", r,
            samples * (link->transposed ? na : nb), have, link->transposed ? back : forward);
    fill(have, samples * (na + nb), false); /* adding to what is there */
    mho_real *before = calloc(samples * (na + nb), sizeof *before);
    size_t count = samples * (link->transposed ? na : nb);
    memcpy(before, have, count * sizeof *before);
    mho_real scale = draw(2) ? (mho_real)0.5 : 1;
    mho__link_read(phase_of(r), link, link->transposed ? error : r->s->z[k->from], have, scale,
                   true, &stats);
    for (size_t j = 0; j < count; j++)
      have[j] = (have[j] - before[j]) / scale;
    compare("adding", r, count, have, link->transposed ? back : forward);
    free(before);
  }

  if (k->trained && k->to < net->n_layers) {
    mho_real *scratch = calloc(mho_change_scratch(net, k->xb->rows, (int)cells), sizeof *scratch);
    mho_outer term = {.pre = a->pool.size ? r->s->pooled[k->from] : r->s->z[k->from],
                      .post = error,
                      .n = r->n,
                      .scale = 1};
    mho_change change = {.n = 1, .term = {term}};
    if (a->pool.size)
      mho_pool_max(&a->pool, r->n, r->s->z[k->from], r->s->pooled[k->from]);
    for (int row = 0, step = 1 + draw(k->xb->rows); row < k->xb->rows; row += step) { /* in parts */
      int rows = k->xb->rows - row < step ? k->xb->rows - row : step;
      mho_change_sum(net, (int)(k - net->connection), &change, MHO_CHANGE_GRADIENT, row, rows,
                     have + (size_t)row * (size_t)k->xb->cols, scratch);
    }
    compare("gradient", r, cells, have, gradient);
    free(scratch);
  }

  free(winner);
  free(error);
  free(have);
  free(in);
  free(forward);
  free(back);
  free(gradient);
}

static void test_plain_loops(void **state) {
  for (int i = 0; i < CASES; i++) {
    random_net r = draw_net(i % 3 == 0);
    for (int c = 0; c < r.net->n_connections; c++)
      check_connection(&r, &r.net->connection[c]);
    free_net(&r);
  }
  /* more positions than one tile holds */
  random_net r = {
      .text = "6x3 pool2 5x3", .channels = 1, .height = 40, .width = 40, .n = 5, .biases = true};
  OK(make_net(&r, false));
  for (int c = 0; c < r.net->n_connections; c++)
    check_connection(&r, &r.net->connection[c]);
  free_net(&r);
}

/* <forward(v), u> = <v, back(u)> with the winners held, for every pair of links on one crossbar. */
static void test_feedback_is_the_adjoint(void **state) {
  for (int i = 0; i < CASES; i++) {
    random_net r = draw_net(false);
    r.thread.changes = true;
    for (int back = 0; back < r.net->n_links; back++)
      for (int ahead = 0; ahead < r.net->n_links; ahead++) {
        const mho_link *f = &r.net->link[ahead], *b = &r.net->link[back];
        if (f->connection != b->connection || f->transposed || !b->transposed)
          continue;
        size_t nv = (size_t)r.n * (size_t)r.net->layer[f->from].n,
               nu = (size_t)r.n * (size_t)r.net->layer[f->to].n;
        mho_real *v = calloc(nv, sizeof *v), *u = calloc(nu, sizeof *u),
                 *fv = calloc(nu, sizeof *fv), *bu = calloc(nv, sizeof *bu);
        mho_settle_stats stats = {0};
        fill(v, nv, false);
        fill(u, nu, false);
        mho__link_read(phase_of(&r), f, v, fv, 1, false, &stats);
        mho__link_read(phase_of(&r), b, u, bu, 1, false, &stats);
        double left = 0, right = 0, size = 0;
        for (size_t k = 0; k < nu; k++) {
          left += (double)fv[k] * (double)u[k];
          size += fabs((double)fv[k] * (double)u[k]);
        }
        for (size_t k = 0; k < nv; k++)
          right += (double)v[k] * (double)bu[k];
        if (!(fabs(left - right) <= 1e-5 * (size + 1e-3)))
          fail_msg("%s: %g forward, %g back", r.text, left, right);
        free(v);
        free(u);
        free(fv);
        free(bu);
      }
    free_net(&r);
  }
}

/* The first of equal ones, row by row, and nothing from a border that no window covers. */
static void test_ties(void **state) {
  mho_pool_window p = {.channels = 1, .height = 3, .width = 5, .size = 2};
  mho_real z[15] = {1, 1, 0, 2, 9, 1, 1, 2, 0, 9, 9, 9, 9, 9, 9}, v[2] = {5, 7}, out[15], most[2];
  uint8_t winner[2];
  assert_int_equal(mho_pool_outputs(&p), 2);
  mho_pool_max(&p, 1, z, most);
  mho_pool_winners(&p, 1, z, winner);
  assert_true(most[0] == 1 && most[1] == 2 && winner[0] == 0 && winner[1] == 1);
  mho_pool_give(&p, 1, v, winner, false, out);
  for (int i = 0; i < 15; i++)
    assert_true(out[i] == (mho_real)(i == 0 ? 5 : i == 3 ? 7 : 0));
}

static mho_err try_text(const char *text) {
  random_net r = {.channels = 1, .height = 8, .width = 8, .n = 1};
  snprintf(r.text, sizeof r.text, "%s", text);
  mho_err err = make_net(&r, false);
  if (!err)
    free_net(&r);
  return err;
}

static void test_text(void **state) {
  static const struct {
    const char *text, *says;
  } bad[] = {{"", "is empty"},
             {"32y5", "is no layer"},
             {"32x", "is no layer"},
             {"0x3", "is no layer"},
             {"4x9", "does not fit"},
             {"4x3p3", "does not fit"},
             {"pool2", "must follow"},
             {"4x3 pool1", "is no layer"},
             {"4x3 pool9", "does not fit"},
             {"20 4x3", "comes after a dense"},
             {"4x3 pool2 pool2", "must follow"},
             {"4x3 pool16", "is no layer"},
             {"4x3p1s", "is no layer"},
             {"4x3 -5", "is no layer"},
             {"99999x3", "is no layer"}};
  for (int i = 0; i < MHO_COUNT(bad); i++) {
    assert_int_equal(try_text(bad[i].text), MHO_ECONFIG);
    if (!strstr(ei.message, bad[i].says))
      fail_msg("'%s': %s", bad[i].text, ei.message);
  }

  assert_int_equal(try_text("4x3, pool2, 7x2s1p1, pool3, 5"), MHO_OK);
  static const char seed[] = "4x3s2p1 pool2 8x2 pool2 16", alphabet[] = "0123456789xsp ol,-[]";
  for (int i = 0; i < 3000; i++) { /* whatever it says, it is built or refused with a sentence */
    char text[sizeof seed];
    strcpy(text, seed);
    for (int k = 1 + draw(4); k > 0; k--)
      text[draw((int)sizeof seed - 1)] = alphabet[draw((int)sizeof alphabet - 1)];
    mho_err err = try_text(text);
    assert_true(err == MHO_OK || (err == MHO_ECONFIG && *ei.message));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_loops),
      cmocka_unit_test(test_feedback_is_the_adjoint),
      cmocka_unit_test(test_ties),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests(tests, setup_registry, teardown_registry);
}
