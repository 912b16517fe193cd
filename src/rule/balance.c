/* balance.c - the balance rule: credits go back along the synapses, and weigh more where excitation
 * and inhibition cancel.
 *
 *   fast    z <- rho(h)                      h the summed inputs, until rest
 *   middle  c <- e at the read-out, sum over links out of a layer of (b . c) W^T elsewhere
 *   slow    grad W = z^T (b . c)             b(h) the gate, e = o - t the error
 *
 * Signs are those of the loss, which is minimized; the publication's credits have the others. With
 * b = rho' the credits of a settled net are the derivatives of its loss, exactly: in a chain
 * backpropagation, in a net with loops recurrent backpropagation. They converge where the settled
 * states do (the credit map has the eigenvalues of the linearized one). Credits go against all
 * links through the same crossbars, those of feedback too. A crossbar that is read both ways is
 * used twice:
 *
 *   forward  z_from^T (b . c)_to                     the gradient with the feedback held
 *   both     the same + beta (b . c)_from^T z_to     the gradient of the weight
 *
 * over alpha, as in all rules. The gates: slope is rho'; bump the current of a bump circuit over
 * what it is at 0,
 *
 *   b = (1 + 4/S)/(1 + 4/S cosh^2(h/2w)),  S its strength, w its width: sech^2(h/2w) as S goes to 0
 *
 * window [|h| < w], and one, linear feedback. Of tanh the slope is largest in balance, at h = 0, as
 * the rule wants it; of a hard sigmoid it is 1 on the range 0 to 1, and of relu on one side.
 * Nothing leads out of the read-out, so that its credit is its error, which in time is held (clamp)
 * or relaxed to (inject).
 *
 * Source: "Contribute to balance, wire in accordance", arXiv 2405.14139; exactness: L. Almeida,
 * Proc. IEEE ICNN 2, 609 (1987), F. Pineda, Phys. Rev. Lett. 59, 2229 (1987); the bump circuit: T.
 * Delbrueck, Proc. IJCNN 1, 475 (1991).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/check.h"
#include "mho/model/num.h"
#include "rule/credits.h"
#include "rule/tied.h"

typedef struct balance {
  int gate, credit, output, tied;
  double width, strength, tau, read, tolerance, noise;
  int64_t sweeps;
} balance;

enum { GATE_SLOPE, GATE_BUMP, GATE_WINDOW, GATE_ONE };
enum { CREDIT_AUTO, CREDIT_RELAX, CREDIT_SWEEP };
enum { OUTPUT_INJECT, OUTPUT_CLAMP };
enum { TIED_FORWARD, TIED_BOTH };

/* ---------------------------------------------------------------- keys, and where they are idle */

static const balance *params_of(const mho_experiment *e) {
  return (const void *)e->rule.params;
}

static const char *without_sums(const mho_experiment *e) {
  int gate = params_of(e)->gate;
  return gate == GATE_BUMP || gate == GATE_WINDOW ? NULL : "rule.gate has no width";
}

static const char *without_bump(const mho_experiment *e) {
  return params_of(e)->gate == GATE_BUMP ? NULL : "rule.gate is not bump";
}

static const char *in_time(const mho_experiment *e) {
  return mho_experiment_in_time(e) ? "credits relax in continuous time (settle.method)" : NULL;
}

/* Credits that are read when they have settled are the same whatever time it takes. */
static const char *without_seconds(const mho_experiment *e) {
  const char *why = mho_idle_without_time(e);
  if (why || params_of(e)->read > 0 || mho_experiment_counts_energy(e))
    return why;
  return "credits are read when they have settled, and their time is not counted "
         "(rule.credit_read)";
}

/* Sweeps end at a tolerance where links go round and reads repeat. */
static const char *without_rest(const mho_experiment *e) {
  if (mho_experiment_in_time(e))
    return NULL;
  if (e->feedback.scale == 0)
    return "links lead credits one way, and sweeps are counted (feedback.scale: 0)";
  return mho_experiment_reads_exactly(e)
             ? NULL
             : "sweeps are counted where reads are noisy or converted (rule.credit_sweeps)";
}

static const char *without_feedback(const mho_experiment *e) {
  return e->feedback.scale == 0 ? "nothing is fed back (feedback.scale: 0)" : NULL;
}

#define P_CHOICE(field, name, words, ...) MHO_P_CHOICE(balance, field, name, words, 0, __VA_ARGS__)
#define P_REAL(field, name, initial, low, high, ...)                                               \
  MHO_P_REAL(balance, field, name, "", initial, low, high, __VA_ARGS__)
static const mho_param table[] = {
    P_CHOICE(gate, "gate", "slope|bump|window|one",
             "what a neuron's credit is multiplied with: the slope of its activity, which gives "
             "the gradient; a bump or a window of its summed input; or nothing"),
    P_REAL(width, "width", 1, 1e-6, 1e6,
           "gates bump and window: summed input at which a window closes, and w of the bump",
           .idle = without_sums),
    P_REAL(strength, "strength", 1, 1e-6, 1e6,
           "gate bump: S, ratio of the middle and outer transistors; a large one is wider and flat",
           .idle = without_bump),
    P_CHOICE(credit, "credit", "auto|relax|sweep",
             "credits relax in continuous time, or are swept through by a clock; auto: as the "
             "states are settled"),
    P_REAL(tau, "credit_tau", 10, 1e-6, 1e6,
           "credit relax: time constant of a credit, in those of the neurons",
           .idle = without_seconds),
    P_REAL(read, "credit_read", 0, 0, 1e9,
           "credit relax: tau of the neurons after which credits are read; 0: when settled",
           .idle = mho_idle_without_time),
    MHO_P_INT(balance, sweeps, "credit_sweeps", 0, 0, 65534,
              "credit sweep: how many; 0: until the tolerance is met", .idle = in_time),
    P_REAL(tolerance, "credit_tolerance", 0, 0, 1,
           "credits have settled when none would change by more, over those of its layer and "
           "sample; 0: 1e-4 to relax, else 1e-5, in double precision 1e-12",
           .idle = without_rest),
    P_REAL(noise, "credit_noise", 0, 0, 1e3,
           "standard deviation of a held credit, over an error of 1 at the read-out"),
    P_CHOICE(output, "output", "inject|clamp",
             "credit relax: the read-out's credit relaxes to its error, or is held there",
             .idle = mho_idle_without_time),
    P_CHOICE(tied, "tied", "forward|both",
             "a crossbar that feedback reads, too, learns from its forward use, or from both",
             .idle = without_feedback),
};

static const mho_var variables[] = {
    [MHO_VAR_CREDIT] = {"credit", MHO_PER_HIDDEN, false, false},
    [MHO_VAR_GATE] = {"gate", MHO_PER_HIDDEN, false, false},
};

/* ---------------------------------------------------------------- gates */

static bool needs_sums(const balance *p) {
  return p->gate == GATE_BUMP || p->gate == GATE_WINDOW;
}

static double gate_of(const balance *p, double h) {
  if (p->gate == GATE_WINDOW)
    return fabs(h) < p->width;
  double wall = 4 / p->strength, cosine = cosh(0.5 * h / p->width);
  return (1 + wall) / (1 + wall * cosine * cosine);
}

static void find_gate(const mho_credits *c, int l) {
  const mho_lesson *lesson = c->lesson;
  const balance *p = lesson->params;
  mho_real *gate = mho__credits_of(c, MHO_VAR_GATE, l);
  size_t n = mho__rule_count(lesson, l);
  for (size_t i = 0; i < n; i++)
    gate[i] = 1;

  if (p->gate == GATE_SLOPE)
    mho_layer_scale_by_slope(&lesson->net->layer[l], lesson->n,
                             mho__values(lesson->net, lesson->state[0]->z, l, lesson->sample0),
                             gate);
  if (!needs_sums(p))
    return;

  const mho_real *h = mho__values(lesson->net, lesson->state[0]->sums, l, lesson->sample0);
  for (size_t i = 0; i < n; i++)
    gate[i] = (mho_real)gate_of(p, (double)h[i]);
}

/* ---------------------------------------------------------------- learning */

static double tolerance_of(const balance *p, bool relaxes) {
  if (p->tolerance > 0)
    return p->tolerance;
  if (relaxes)
    return 1e-4;
  return sizeof(mho_real) == 8 ? 1e-12 : 1e-5;
}

static mho_credits_way way_of(const mho_lesson *lesson, bool relaxes) {
  const balance *p = lesson->params;
  return (mho_credits_way){.sweeps = p->sweeps,
                           .tolerance = tolerance_of(p, relaxes),
                           .noise = p->noise,
                           .tau = p->tau,
                           .read = p->read,
                           .clamps = p->output == OUTPUT_CLAMP};
}

/* States and errors of analog neurons as converters measure them. */
static void measure(const mho_lesson *lesson) {
  const mho_network_array *array = &lesson->net->array;
  if (!array->model->measures || !array->model->measures(array->params))
    return;

  for (int l = 1; l < mho_hidden_end(lesson->net); l++) {
    mho_measure m = {.n = lesson->n,
                     .width = lesson->net->layer[l].n,
                     .layer = l,
                     .a = mho__values(lesson->net, lesson->state[0]->z, l, lesson->sample0),
                     .update = lesson->thread->update,
                     .sample0 = lesson->sample0,
                     .scratch = lesson->thread->scratch};
    array->model->measure(array->crossbar, &m);

    m.a = mho__values(lesson->net, lesson->error, l, lesson->sample0);
    m.phase_a = 1;
    array->model->measure(array->crossbar, &m);
  }
}

static void learn(const mho_lesson *lesson, mho_rule_stats *stats) {
  const mho_network *net = lesson->net;
  const balance *p = lesson->params;
  bool relaxes = lesson->thread->settler->in_time;
  mho_credits_way way = way_of(lesson, relaxes);
  mho_credits c = {.lesson = lesson, .way = &way, .phase = mho__rule_phase(lesson)};
  mho_probe probe = {.meter = mho__probe_of(&c.phase).meter};
  c.phase.number = 1;
  c.phase.probe = &probe;

  mho__rule_settle(lesson, lesson->error[mho_network_output(net)], stats);
  for (int l = 1; l < mho_hidden_end(net); l++)
    find_gate(&c, l);

  lesson->thread->changes = true; /* credits meet no bias */
  if (relaxes)
    mho__credits_relax(&c, stats);
  else
    mho__credits_sweep(&c, stats);
  lesson->thread->changes = false;

  measure(lesson);
  if (p->tied == TIED_BOTH)
    mho__tied_pool(lesson);
}

static void change(const mho_lesson *l, int connection, mho_change *out) {
  const mho_network *net = l->net;
  mho_change_by_error(l, connection, out);
  if (((const balance *)l->params)->tied == TIED_FORWARD)
    return;

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (mho__tied_is_use(net, k, connection))
      mho__tied_add(l, k, out)->scale =
          (double)k->scale / net->forward_scale * l->factor[k->to] / l->n;
  }
}

/* ---------------------------------------------------------------- memory */

static mho_err own_new(const mho_experiment *e, const mho_network *net, int batch, void **out,
                       mho_errinfo *ei) {
  const balance *own = (const balance *)(const void *)e->rule.params;
  *out = NULL;
  if (own->tied == TIED_FORWARD)
    return MHO_OK;
  return mho__tied_new(net, batch, out, ei);
}

/* ---------------------------------------------------------------- combinations */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_credits(const mho_experiment *e, const balance *p, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const char *method = settler->entry.id;
  bool relaxes = settler->in_time;
  if (p->credit == CREDIT_RELAX && !relaxes)
    REFUSE("rule.credit: credits relax in continuous time, and settle.method %s has a clock: use "
           "sweep, or settle.method ode",
           method);
  if (p->credit == CREDIT_SWEEP && relaxes)
    REFUSE("rule.credit: sweeps have a clock, and settle.method %s runs in continuous time: use "
           "relax, or settle.method sweep",
           method);
  return MHO_OK;
}

static mho_err check_tied(const mho_experiment *e, mho_errinfo *ei) {
  if (e->feedback.mode == MHO_FEEDBACK_ASYMMETRIC)
    REFUSE("rule.tied: both is of crossbars that feedback reads, too, and with feedback.mode "
           "asymmetric it has its own: use forward");
  if (e->network.forward_scale == 0)
    REFUSE("rule.tied: both weighs the feedback's use of a crossbar against the forward one, and "
           "network.forward_scale is 0: use forward");
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const balance *p = params_of(e);
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (strcmp(e->dynamics.entry->id, "rate") != 0)
    REFUSE("rule.name: the credits of balance are of neurons that have a rate and its slope, which "
           "dynamics.name %s has not: use dynamics rate",
           e->dynamics.entry->id);
  if (settler->unmetered)
    REFUSE(
        "rule.name: balance leads credits back by reads of crossbars, and settle.method %s makes "
        "none: use another method",
        settler->entry.id);
  if (array->holds && array->holds(e->array.params))
    REFUSE("array.differencing: analog differencing is of two phases, and rule.name balance "
           "subtracts none: use digital");

  mho_err err = check_credits(e, p, ei);
  return err || p->tied == TIED_FORWARD ? err : check_tied(e, ei);
}

/* ---------------------------------------------------------------- registration */

static int parts(const void *of) {
  return needs_sums(of) ? MHO_STATE_SUMS : 0;
}

static mho_err workspace_new(const mho_network *net, const mho_settler *settler, const void *of,
                             int n, void **out, mho_errinfo *ei) {
  *out = NULL;
  if (!settler->in_time)
    return MHO_OK;
  return mho__credits_workspace_new(net, n, out, ei);
}

const mho_rule mho_rule_balance = {
    .entry = {.abi = MHO_ABI,
              .id = "balance",
              .title = "credits go back along synapses, and count where neurons are balanced",
              .equation = "c = e + (b . c) W^T, grad W = z^T (b . c), b = rho'",
              .source =
                  "arXiv 2405.14139; Almeida, Proc. IEEE ICNN 2:609 (1987); Pineda, Phys. Rev. "
                  "Lett. 59:2229 (1987)",
              .params = MHO_PARAMS(balance, table),
              .check = check},
    .var = variables,
    .n_vars = MHO_COUNT(variables),
    .credits = true,
    .own_new = own_new,
    .own_free = mho__tied_free,
    .workspace_new = workspace_new,
    .workspace_free = mho__credits_workspace_free,
    .parts = parts,
    .predict = mho__rule_predict,
    .learn = learn,
    .change = change,
    .also_applies = MHO_APPLY_SAMPLE,
};
