/* netlist_device.c - a device under a pulse train as a circuit, and its subcircuit.
 *
 * Two kinds of subcircuit behave as the core's models do. One integrates the model's own variable
 * under whatever voltage lies across it. The other answers identical pulses: while |V(p,n)| is
 * above v_th, node h goes to the state that the pulse leads to from V(g), and V(g) holds; in the
 * rest that follows V(g) goes to V(h). Both moves are exponential with a time constant well below
 * the pulse's width, and end at the value itself, so that the step is the model's and not the
 * integrator's.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/streams.h"
#include "mho/model/circuit.h"
#include "mho/model/device.h"
#include "mho/spice.h"
#include "spice/subckt.h"

#define add    mho__spice_text_add
#define number mho__spice_number

enum { STEPS = 60 }; /* time constants of a move in a pulse's width: e^-60 is below rounding */
static const double WIDTH = 100e-9, V_PULSE = 1;

typedef struct circuit {
  const mho_netlist_device *x;
  mho_device_spice s;
  double width, v_set, v_reset; /* of pulses, V of either sign as applied */
} circuit;

static mho_err describe(const mho_netlist_device *x, circuit *c, mho_errinfo *ei) {
  *c = (circuit){.x = x};

  if (!x->model->spice)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "device '%s' takes any change: it has no response to pulses",
                    x->model->entry.id);
  if (x->config->only_written)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "what pulses do to this device is not known (device.only_written): it has no "
                    "circuit that answers them");

  mho_err err = x->model->spice(x->params, x->config, &c->s, ei);
  c->width = c->s.width > 0 ? c->s.width : WIDTH;
  c->v_set = c->s.v_set != 0 ? c->s.v_set : V_PULSE;
  c->v_reset = c->s.v_reset != 0 ? c->s.v_reset : -V_PULSE;
  return err;
}

/* ---------------------------------------------------------------- the subcircuit */

static void add_parameters(mho_spice_text *t, const circuit *c) {
  add(t, " g_min=%s g_max=%s g0=0.5\n", number(c->x->config->g_min), number(c->x->config->g_max));
  for (int i = 0; i < c->s.n; i++)
    add(t, "+ %s=%s\n", c->s.param[i].name, number(c->s.param[i].value));
}

/* The current between the electrodes, by the I-V law of the config. */
static void add_current(mho_spice_text *t, const circuit *c) {
  char current[512];
  if (!mho_device_spice_current(c->x->config, "V(gs)", "V(p,n)", current, sizeof current)) {
    t->failed = true;
    return;
  }

  add(t,
      "* conductance in S as a voltage, and the current\n"
      "Bs gs 0 V=g_min+(g_max-g_min)*max(V(g),-g_min/(g_max-g_min))\n"
      "Bd p n I=%s\n",
      current);
}

/* The state at the start as the model's own variable: the circuit's V(g) is the parameter g0. */
static void add_start(mho_spice_text *t, const circuit *c) {
  const char *p = *c->s.g_of_x ? c->s.x_of_g : "V(g)";

  while (*p) {
    if (strncmp(p, "V(g)", 4)) {
      add(t, "%c", *p);
      p++;
    } else {
      add(t, "g0");
      p += 4;
    }
  }
}

static void add_rate_model(mho_spice_text *t, const circuit *c) {
  add(t,
      "* the model's variable, 0..1 V, moves by its own law and stops at its ends; "
      "r: by how much in a pulse's width\n"
      "Br r 0 V=w*(%s)\n"
      "Cx x 0 1n ic={",
      c->s.rate);
  add_start(t, c);
  add(t, "}\nRx x 0 1e15\nBx 0 x I=k*V(r)*(V(r)>0 ? u(1-V(x)) : u(V(x)))\nBg g 0 V=%s\n",
      *c->s.g_of_x ? c->s.g_of_x : "V(x)");
}

static void add_pulse_model(mho_spice_text *t, const circuit *c) {
  add(t,
      "* a pulse takes h to the state it leads to; after it g follows h\n"
      "Bs1 s1 0 V=%s\n"
      "Bs0 s0 0 V=%s\n"
      "Ch h 0 1n ic={g0}\nRh h 0 1e15\n"
      "Bh 0 h I=abs(V(p,n))>v_th ? k*(min(max(V(p,n)>0 ? V(s1) : V(s0),0),1)-V(h)) : 0\n"
      "Cg g 0 1n ic={g0}\nRg g 0 1e15\n"
      "Bg 0 g I=abs(V(p,n))>v_th ? 0 : k*(V(h)-V(g))\n",
      c->s.set, c->s.reset);
}

static bool has_rate(const circuit *c) {
  return *c->s.rate != 0;
}

static void add_subcircuit(mho_spice_text *t, const circuit *c) {
  const char *id = c->x->model->entry.id;

  add(t, "* %s: %s\n* state V(g), normalized conductance 0..1; g0 at the start\n.subckt mem_%s p n",
      id, c->x->model->entry.title, id);
  if (has_rate(c)) {
    add(t, " w=%.9g k=%.12g", c->width, 1e-9 / c->width);
  } else {
    add(t, " v_th=%s k=%s", number(0.5 * fmin(fabs(c->v_set), fabs(c->v_reset))),
        number(1e-9 * STEPS / c->width));
  }
  add_parameters(t, c);

  if (has_rate(c))
    add_rate_model(t, c);
  else
    add_pulse_model(t, c);
  add_current(t, c);
  add(t, ".ends mem_%s\n", id);
}

static void add_snapshot(mho_spice_text *t, const circuit *c) {
  char current[512];
  add(t, "* a device that is only read: its conductance gs (S) stands still\n"
         ".subckt mem_snapshot p n gs=1u\n");

  if (c->x->config->iv.law == MHO_IV_OHMIC)
    add(t, "Rd p n {1/gs}\n");
  else if (mho_device_spice_current(c->x->config, "gs", "V(p,n)", current, sizeof current))
    add(t, "Bd p n I=%s\n", current);
  else
    t->failed = true;

  add(t, ".ends mem_snapshot\n");
}

static mho_err finish(mho_spice_text *t, char **out, mho_errinfo *ei) {
  if (t->failed) {
    mho_free(t->p);
    return mho_fail(ei, MHO_ENOMEM, "no memory for the circuit of a device");
  }
  *out = t->p;
  return MHO_OK;
}

mho_err mho_netlist_device_lib(const mho_netlist_device *x, char **out, mho_errinfo *ei) {
  circuit c;
  mho_spice_text t = {0};
  *out = NULL;

  mho_err err = describe(x, &c, ei);
  if (err)
    return err;

  add(&t,
      "* models/%s.lib - written by 'mho netlist --models': "
      "the device's parameters at their defaults\n",
      x->model->entry.id);
  add_subcircuit(&t, &c);
  add_snapshot(&t, &c);
  return finish(&t, out, ei);
}

/* ---------------------------------------------------------------- the pulse train */

/* A period is twice a pulse: a short rest at 0 V, the pulse, the rest in which g follows. The state
 * is read where a period ends. */
static double period(const circuit *c) {
  return 2 * c->width;
}

/* The edges are steep for a model that integrates, because it moves on them too. */
static void add_pulse_train(mho_spice_text *t, const circuit *c) {
  double edge = (has_rate(c) ? 1e-6 : 0.01) * c->width, delay = 0.2 * c->width, rest = 0;

  add(t, "\n* pulses (V)\nVd d 0 PWL(0 %g", rest);
  for (int k = 0; k < c->x->n; k++) {
    double at = k * period(c) + delay, v = c->x->pulse[k] > 0 ? c->v_set : c->v_reset;
    add(t, "\n+ %.12g %g %.12g %.12g %.12g %.12g %.12g %g", at, rest, at + edge, v, at + c->width,
        v, at + edge + c->width, rest);
  }

  add(t, ")\nXd d 0 mem_%s g0=%s\n", c->x->model->entry.id, number(c->x->start));
}

static void add_tran(mho_spice_text *t, const circuit *c) {
  add(t, "tran %.9g %.9g 0 %.9g uic", c->width, c->x->n * period(c),
      c->width / (has_rate(c) ? 300 : 1));
}

static void add_expected(mho_spice_text *t, const circuit *c) {
  const mho_netlist_device *x = c->x;
  if (!x->expected)
    return;

  add(t, "\n* what mho expects\n");
  for (int k = 0; k < x->n; k++)
    mho__netlist_expect(t, "g", k + 1, x->expected[k], x->tolerance * x->expected[k], "S");
}

static void add_control(mho_spice_text *t, const circuit *c) {
  add(t, ".");
  add_tran(t, c);
  add(t, "\n\n.control\nset numdgt=15\nrun\nlinearize v(xd.gs)\n");
  for (int k = 0; k < c->x->n; k++)
    add(t, "let g%d = v(xd.gs)[%d]\nprint g%d\n", k + 1, 2 * (k + 1), k + 1);
  add(t, "quit\n.endc\n");
}

mho_err mho_netlist_device_write(const mho_netlist_device *x, char **out, mho_errinfo *ei) {
  circuit c;
  mho_spice_text t = {0};
  *out = NULL;

  if (x->n < 1 || !(x->start >= 0 && x->start <= 1))
    return mho_fail(ei, MHO_EINVAL, "%d pulses from a state of %g", x->n, x->start);

  mho_err err = describe(x, &c, ei);
  if (err)
    return err;

  mho__netlist_title(&t, x->title ? x->title : "device under a train of pulses");
  add(&t,
      "*\n* %d pulses of %g s; g<k>: conductance (S) after pulse k, node xd.gs; "
      "V(xd.g): normalized, 0 at g_min\n",
      x->n, c.width);

  /* What follows its own law is as exact as the steps are small: ngspice's error control would not
   * notice */
  add(&t, "\n.options %s\n\n",
      has_rate(&c) ? "method=trap reltol=1e-10 vntol=1e-13 abstol=1e-17 chgtol=1e-22"
                   : "method=gear reltol=1e-7 vntol=1e-10 abstol=1e-13 chgtol=1e-18 trtol=1");

  add_subcircuit(&t, &c);
  add_pulse_train(&t, &c);
  add_expected(&t, &c);

  add(&t, "\n.save v(xd.gs)\n");
  if (x->control)
    add_control(&t, &c);
  add(&t, "\n.end\n");
  return finish(&t, out, ei);
}

void mho_netlist_random_pulses(uint64_t seed, int n, int8_t *pulse) {
  mho_rng rng = mho__stream_directions(seed);
  int direction = 1;

  for (int k = 0; k < n; k++) {
    float u;
    mho_rng_uniform(rng, 0, (uint64_t)k, 1, &u);
    if (u < 0.15f)
      direction = -direction;
    pulse[k] = (int8_t)direction;
  }
}

/* ---------------------------------------------------------------- in a session */

/* Take from a result g at the times t, [n], the last value before the end of each period. */
static void pick(const circuit *c, int n, const double *t, const double *g, double *out) {
  int i = 0;

  for (int k = 0; k < c->x->n; k++) {
    double end = (k + 1) * period(c) * (1 + 1e-9);
    while (i + 1 < n && t[i + 1] <= end)
      i++;
    out[k] = g[i];
  }
}

static mho_err read_conductances(mho_spice *s, const circuit *c, double *out, mho_errinfo *ei) {
  int n = 0;
  mho_err err = mho_spice_vector_length(s, "time", &n, ei);
  double *t = mho_alloc((size_t)n + 1, sizeof *t), *g = mho_alloc((size_t)n + 1, sizeof *g);

  if (!err && (!t || !g))
    err = mho_fail(ei, MHO_ENOMEM, "no memory for %d points", n);
  if (!err)
    err = mho_spice_vector(s, "time", t, n, ei);
  if (!err)
    err = mho_spice_vector(s, "v(xd.gs)", g, n, ei);
  if (!err)
    pick(c, n, t, g, out);

  mho_free(t);
  mho_free(g);
  return err;
}

static mho_err run_pulses(mho_spice *s, const circuit *c, mho_errinfo *ei) {
  mho_spice_text command = {0};
  add_tran(&command, c);
  mho_err err = command.failed ? mho_fail(ei, MHO_ENOMEM, "no memory for a command")
                               : mho_spice_run(s, command.p, ei);
  mho_free(command.p);
  return err;
}

mho_err mho_spice_device(mho_spice *s, const mho_netlist_device *x, double *out, mho_errinfo *ei) {
  circuit c;
  char *netlist = NULL;
  mho_netlist_device plain = *x;
  plain.expected = NULL;
  plain.control = false;

  mho_err err = describe(x, &c, ei);
  if (!err)
    err = mho_netlist_device_write(&plain, &netlist, ei);
  if (!err)
    err = mho_spice_load(s, netlist, ei);
  mho_free(netlist);
  if (!err)
    err = run_pulses(s, &c, ei);
  return err ? err : read_conductances(s, &c, out, ei);
}
