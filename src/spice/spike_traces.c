/* spike_traces.c - what lines remember of their spikes, as circuits.
 *
 * A trace is a capacitor with a leak, C dz/dt = -C z/tau, 1 V of it a trace of 1. Beside it a held
 * voltage h follows what a spike is to make of z; a pulse on the line freezes h and takes z there.
 * A row of a rectangular window has a timer that every pulse starts anew, and is active until it is
 * over.
 *
 * A pulse lasts for p, and ends d after its spike: p/2 of an input, 3 p/2 of a neuron, whose wave
 * follows its spike (netlist_spikes.c). So that z is then what it would be of the spike itself,
 *
 *   nearest  h = exp(-d/tau)
 *   all      h = z exp(-p/tau) + exp(-d/tau)
 *   window   the timer has tau - d left
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "dynamics/spike_trace.h"
#include "spice/spike_circuit.h"

#define add    mho__spice_text_add
#define number mho__spice_number

static const double OF_PEAK = 1e-3, OF_DECAY = 1e-2; /* margins */
static const double AWAY = 4;                        /* pulses that a trace is read beside one */
static const double READ_OVER = 2; /* time constants between the two times of reading */

/* What one trace is of. */
typedef struct trace {
  const char *kind; /* pre, post, slow */
  double tau;       /* s */
  int layer, unit;
} trace;

static bool is_source(const mho_network *net, int layer) {
  for (int c = 0; c < net->n_trained; c++)
    if (net->connection[c].from == layer)
      return true;
  return false;
}

double mho__spike_traces_shortest(const mho_netlist_spikes *x) {
  double shortest = INFINITY;
  if (!x->lines)
    return shortest;
  const double tau[] = {x->lines->tau_pre, x->lines->tau_post, x->lines->tau_slow};
  for (int i = 0; i < MHO_COUNT(tau); i++)
    if (tau[i] > 0)
      shortest = fmin(shortest, tau[i]);
  return shortest;
}

/* ---------------------------------------------------------------- all traces of a circuit */

typedef void (*visit)(mho_spike_circuit *w, const trace *z, bool expects);

static void go_to(mho_spike_circuit *w, const char *kind, double tau, int l, int i, visit f,
                  bool expects) {
  const trace z = {kind, tau, l, i};
  if (tau > 0)
    f(w, &z, expects);
}

/* Whether unit i of a layer is in the circuit, and can fire. */
static bool has_spikes(const mho_spike_circuit *w, int l, int i) {
  return l > 0 || (!w->x->x && w->fires[i]);
}

static void for_all(mho_spike_circuit *w, visit f, bool expects) {
  const mho_stdp_lines *lines = w->x->lines;
  for (int l = 0; lines && l <= mho__spike_last(w->x->net); l++) {
    int n = l ? mho__spike_count(w, l) : w->x->net->layer[0].n;
    bool is_row = is_source(w->x->net, l);
    for (int i = 0; i < n; i++) {
      if (!has_spikes(w, l, i))
        continue;
      go_to(w, "pre", is_row ? lines->tau_pre : 0, l, i, f, expects);
      go_to(w, "post", l > 0 ? lines->tau_post : 0, l, i, f, expects);
      go_to(w, "slow", l > 0 ? lines->tau_slow : 0, l, i, f, expects);
    }
  }
}

/* "pre_h1_3". */
static void name_of(const mho_spike_circuit *w, const trace *z, char name[MHO_NETLIST_NAME]) {
  snprintf(name, MHO_NETLIST_NAME, "%s_%s_%d", z->kind, w->x->net->layer[z->layer].name, z->unit);
}

/* ---------------------------------------------------------------- subcircuits */

void mho__spike_traces_head(mho_spike_circuit *w) {
  const mho_stdp_lines *lines = w->x->lines;
  if (!lines)
    return;
  add(&w->t, lines->is_window
                 ? "* V(pre_<layer>_<i>): 1 V while a row is active\n"
                 : "* V(pre_<layer>_<i>), V(post_..), V(slow_..): traces, 1 V is one of 1\n");
}

void mho__spike_traces_subcircuits(mho_spike_circuit *w) {
  mho_spice_text *t = &w->t;
  if (!w->x->lines)
    return;
  if (w->x->lines->is_window) {
    add(t, "\n* window: pulses of s start the timer t anew, z is 1 V until it has run\n"
           ".subckt window s z tau=20m\nCt t 0 {c_mem} ic=2\n"
           "Bt 0 t I=(V(s) >= v_read/2 ? -c_mem*V(t)/edge : (V(t) < 2 ? c_mem/tau : 0))\n"
           "Cz z 0 {c_mem}\nBz 0 z I=c_mem*((V(t) < 1 ? 1 : 0)-V(z))/edge\n.ends\n");
    return;
  }

  add(t, "\n* trace: z leaks with tau, and pulses of s take it to h, keep z + rise before them\n"
         ".subckt trace s z tau=20m keep=0 rise=1\n"
         "Ch h 0 {c_mem}\nBh 0 h I=c_mem*(V(s) >= v_read/2 ? 0 : (keep*V(z)+rise-V(h))/edge)\n"
         "Cz z 0 {c_mem}\nBz 0 z I=c_mem*(V(s) >= v_read/2 ? (V(h)-V(z))/edge : -V(z)/tau)\n"
         ".ends\n");
}

static void add_trace(mho_spike_circuit *w, const trace *z, bool expects) {
  char name[MHO_NETLIST_NAME], line[MHO_NETLIST_NAME];
  const mho_stdp_lines *lines = w->x->lines;
  double end = w->p * (z->layer > 0 ? 1.5 : 0.5);
  (void)expects;
  name_of(w, z, name);
  mho__spike_line(w, z->layer, z->unit, line);

  add(&w->t, "X%s %s %s %s tau=%s", name, line, name, lines->is_window ? "window" : "trace",
      number(lines->is_window ? z->tau - end : z->tau));
  if (!lines->is_window)
    add(&w->t, " keep=%s rise=%s", number(lines->form == MHO_TRACE_ALL ? exp(-w->p / z->tau) : 0),
        number(exp(-end / z->tau)));
  add(&w->t, "\n");
}

void mho__spike_traces_add(mho_spike_circuit *w) {
  if (!w->x->lines)
    return;
  add(&w->t, "\n* what lines remember of their spikes\n");
  for_all(w, add_trace, false);
}

/* ---------------------------------------------------------------- what they are to be */

/* The unit's next spike after number k, from 0; -1: there is none. */
static int next_spike(const mho_spike_circuit *w, const trace *z, int after) {
  for (int k = after + 1; k < w->x->n; k++)
    if (w->x->spike[k].layer == z->layer && w->x->spike[k].unit == z->unit)
      return k;
  return -1;
}

/* A time in which nothing moves a trace. */
typedef struct calm {
  double from, to; /* s */
  int spike;       /* of the unit before it */
} calm;

/* How far a spike of a line may be from the core's: an input's are exact. */
static double late_of(const mho_spike_circuit *w, const trace *z, int spike) {
  return z->layer > 0 ? mho__spike_late(w, spike) : 0;
}

/* The longest one behind a spike, without what is close to another; from = to: there is none. */
static calm longest_calm(const mho_spike_circuit *w, const trace *z) {
  calm best = {0};
  for (int k = next_spike(w, z, -1), next; k >= 0; k = next) {
    next = next_spike(w, z, k);
    double away = AWAY * w->p + late_of(w, z, k);
    double end = next >= 0 ? w->x->spike[next].time : w->x->stop;
    calm c = {w->x->spike[k].time + away, end - away, k};
    if (c.to - c.from > best.to - best.from)
      best = c;
  }
  best.to = fmin(best.to, best.from + READ_OVER * z->tau);
  return best;
}

/* The trace at a time. */
static double trace_at(const mho_spike_circuit *w, const trace *z, double time) {
  double sum = 0, last = 0;
  for (int k = next_spike(w, z, -1); k >= 0; k = next_spike(w, z, k)) {
    if (w->x->spike[k].time > time)
      break;
    last = exp(-(time - w->x->spike[k].time) / z->tau);
    sum += last;
  }
  return w->x->lines->form == MHO_TRACE_ALL ? sum : last;
}

/* Its largest value up to a time, which is that behind one of its spikes. */
static double peak_by(const mho_spike_circuit *w, const trace *z, double time) {
  double peak = 1;
  for (int k = next_spike(w, z, -1); k >= 0; k = next_spike(w, z, k))
    if (w->x->spike[k].time <= time)
      peak = fmax(peak, trace_at(w, z, w->x->spike[k].time));
  return peak;
}

/* A trace at two times, and the time in which it decays between them. */
static void print_trace(mho_spike_circuit *w, const trace *z, bool expects) {
  mho_spice_text *t = &w->t;
  char name[MHO_NETLIST_NAME], value[MHO_NETLIST_NAME + 8];
  calm c = longest_calm(w, z);
  const double at[] = {c.from, c.to};
  bool is_long = c.to - c.from > 0.1 * z->tau;
  if (!is_long)
    return;

  name_of(w, z, name);
  for (int k = 0; k < MHO_COUNT(at); k++) {
    double level = trace_at(w, z, at[k]);
    double margin = OF_PEAK * peak_by(w, z, at[k]) + level * late_of(w, z, c.spike) / z->tau;
    snprintf(value, sizeof value, "%s_%d", name, k + 1);
    if (expects) {
      mho__netlist_expect(t, value, -1, level, margin, "");
      continue;
    }
    add(t, "meas tran %s find v(%s) at=%s\nprint %s\n", value, name, number(at[k]), value);
  }

  snprintf(value, sizeof value, "decay_%s", name);
  if (expects) {
    mho__netlist_expect(t, value, -1, z->tau, OF_DECAY * z->tau, "s");
    return;
  }
  add(t, "let %s=%s/ln(%s_1/%s_2)\nprint %s\n", value, number(c.to - c.from), name, name, value);
}

/* When a row first stops being active. */
static void print_window(mho_spike_circuit *w, const trace *z, bool expects) {
  char name[MHO_NETLIST_NAME], value[MHO_NETLIST_NAME + 8];
  double away = AWAY * w->p, over = NAN;
  int last = -1;
  for (int k = next_spike(w, z, -1); k >= 0; k = next_spike(w, z, k)) {
    bool is_over = w->x->spike[k].time > over;
    if (is_over)
      break;
    over = w->x->spike[k].time + z->tau;
    last = k;
  }
  double late = last >= 0 ? late_of(w, z, last) : 0;
  bool is_seen = over < w->x->stop - away - late;
  if (!is_seen)
    return;

  name_of(w, z, name);
  snprintf(value, sizeof value, "off_%s", name);
  if (expects)
    mho__netlist_expect(&w->t, value, -1, over, w->p + late, "s");
  else
    add(&w->t, "meas tran %s when v(%s)=0.5 fall=1\nprint %s\n", value, name, value);
}

void mho__spike_traces_results(mho_spike_circuit *w, bool expects) {
  if (w->x->lines)
    for_all(w, w->x->lines->is_window ? print_window : print_trace, expects);
}
