/* netlist_spikes.c - neurons that integrate and fire as a circuit, under the spikes of a sample.
 *
 * A spike of an input is a pulse of p seconds at the read voltage on its word line, with the spike
 * in the middle; one of a neuron is a wave of 2 p that begins with it, v_read (1 - cos(pi t/p))/2,
 * whose area is the same, to 2e-3 whatever the steps of ngspice are. What crossbars make of it
 * flows from virtual grounds into the neurons:
 *
 *   delta     C du/dt = C (E - u)/tau + I: a pulse through a weight of 1 raises u by v_unit
 *   current   C dc/dt = -C c/tau_s + I, C du/dt = C (E - u + c)/tau
 *   direct    (settle.encode.kind) what links from inputs bring is a current I_d for good,
 *             C du/dt = C (E - u + c)/tau + I_d
 *
 * A neuron is a latch q that the potential sets at the threshold, and that a timer T resets when
 * it has charged to 1, after the refractory time or 2 p, whichever is longer. The word line z
 * follows T for as long as the wave lasts. u is held at where a reset brings it for the refractory
 * time, and for no less than it takes to get there, or than the pulse that made it fire. The latch
 * and the switches between currents are B sources on capacitors of EDGE p, so that the steps of
 * ngspice become short where they change. A second integrator counts.
 *
 * With neuron.inhibit line a neuron that fires pulls the line of its layer up for p, which starts a
 * one-shot anew: while it is on, all others of the layer are held at rest, or where a reset brings
 * them. A neuron knows by a latch m that the last pull was its own. With synapses that act at once
 * several neurons may cross in one pulse: they compare when currents into them are over, and of
 * winners one only the one furthest above, on a line that shows the largest excess, may fire.
 *
 * So a spike of the circuit is later than the core's by up to p a layer, and every earlier spike of
 * the neuron adds what the refractory time is shorter than that by.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/spike_circuit.h"

#include <math.h>
#include <stdio.h>

#include "mho/spice.h"
#include "spice/netlist_crossbar.h"

#define add    mho__spice_text_add
#define number mho__spice_number

#define C_MEM  1e-12 /* F */
#define V_FIRE 0.5   /* V, of the threshold neuron.threshold.value */
#define PULSES 500   /* in the shortest time constant */
#define EDGE   MHO_SPIKE_EDGE
#define RESET  8    /* edges, in which a potential is reset */
#define STEPS  8    /* of ngspice in a pulse, at least */
#define OF_TAU 0.01 /* that a spike may be late by where currents bring a potential there slowly */

typedef mho_spike_circuit writer;

/* ---------------------------------------------------------------- what has a circuit */

#define REFUSE(...) return mho_fail(ei, MHO_EUNSUPPORTED, __VA_ARGS__)

static mho_err check_neurons(const mho_spiking_config *c, mho_errinfo *ei) {
  if (c->synapse == MHO_SYNAPSE_CONDUCTANCE)
    REFUSE("neuron.synapse: conductances have no circuit here: use delta or current");
  if (c->reset == MHO_RESET_SUBTRACT && c->synapse == MHO_SYNAPSE_DELTA)
    REFUSE("neuron.reset: subtract leaves what a spike brings above the threshold, which a circuit "
           "that fires in the middle of its pulse never has: use value, or synapse current");
  if (c->law == MHO_THRESHOLD_LAYER)
    REFUSE("neuron.threshold.law: thresholds that move in every step of a clock have no circuit "
           "here: use fixed");
  if (c->inhibit != MHO_INHIBIT_NONE && c->inhibit != MHO_INHIBIT_LINE)
    REFUSE("neuron.inhibit: potentials that fall by what others have at their spikes have no "
           "circuit here: use line or none");
  if (c->forward_delay > 0)
    REFUSE("neuron.delay.forward: lines that delay spikes have no circuit here: set it to 0");
  return MHO_OK;
}

static bool is_heard(const mho_network *net, const mho_link *k) {
  return k->to < mho_hidden_end(net) && mho_link_settles(k);
}

mho_err mho__netlist_spikes_check(const mho_network *net, mho_errinfo *ei) {
  if (!net->spiking)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "dynamics.name: --spikes is for neurons that spike: use dynamics spiking, or "
                    "--network");
  mho_err err = check_neurons(net->spiking, ei);
  if (err)
    return err;
  if (net->wired)
    REFUSE("array.wire: lines with resistance are not in the circuit of neurons that spike: leave "
           "it out");

  for (int i = 0; i < net->n_links; i++) {
    const mho_link *k = &net->link[i];
    if (!is_heard(net, k))
      continue;
    if (k->role != MHO_FORWARD)
      REFUSE("network.lateral, network.back: links that are not forward have no circuit of neurons "
             "that spike: leave them out");
    if (!k->plain || net->connection[k->connection].conv.kernel)
      REFUSE("network.topology: kernels, pooling and biases have no circuit of neurons that spike: "
             "use layered, without biases");
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- sizes and times */

static double tau_of(const writer *w, int l, int j) {
  const mho_circuit *circuit = w->x->net->layer[l].circuit;
  return w->c->tau * (circuit && circuit->tau ? circuit->tau[j] : 1);
}

/* The shortest time between two spikes of one input. */
static double shortest_interval(const mho_netlist_spikes *x) {
  double shortest = INFINITY;
  for (int i = 0; i < x->n; i++)
    for (int k = i + 1; k < x->n && x->spike[i].layer == 0; k++) {
      bool is_same = x->spike[k].layer == 0 && x->spike[k].unit == x->spike[i].unit;
      if (is_same) {
        shortest = fmin(shortest, x->spike[k].time - x->spike[i].time);
        break;
      }
    }
  return shortest;
}

static mho_err find_times(writer *w, mho_errinfo *ei) {
  const mho_spiking_config *c = w->c;
  bool has_current = c->synapse == MHO_SYNAPSE_CURRENT && c->tau_syn > 0;
  double shortest = has_current ? fmin(c->tau, c->tau_syn) : c->tau;
  shortest = fmin(shortest, mho__spike_traces_shortest(w->x));
  double apart = shortest_interval(w->x);
  w->p = fmin(shortest / PULSES, apart / 2);
  w->hold = fmax(c->refractory, 2 * w->p);
  w->held = fmax(c->refractory, has_current ? RESET * EDGE * w->p : w->p);
  w->quiet = w->has_line ? fmax(c->inhibit_time, 2 * w->p) : 0;
  w->v_unit = V_FIRE / fmax(fabs(c->threshold), 1e-12);
  if (w->p * 100 * PULSES >= shortest)
    return MHO_OK;
  REFUSE("two spikes of an input are %.3g s apart, too close for pulses on its line: take a sample "
         "without such (--sample)",
         apart);
}

/* ---------------------------------------------------------------- head and subcircuits */

static void add_head(writer *w) {
  mho_spice_text *t = &w->t;
  const mho_network *net = w->x->net;
  mho__netlist_title(t, w->x->title);
  add(t, "*\n* layers:");
  for (int l = 0; l <= mho__spike_last(net); l++)
    add(t, " %s (%d%s)", net->layer[l].name, l ? mho__spike_count(w, l) : net->layer[0].n,
        l && mho__spike_count(w, l) < net->layer[l].n ? " of more" : "");
  add(t,
      "\n* V(x_<i>): word lines of the inputs%s; V(z_<layer>_<j>): of neurons\n"
      "* V(u_<layer>_<j>): potentials, 1 in the network is v_unit; V(q_<layer>_<j>): 1 V while "
      "it is held\n",
      w->x->x ? "" : " that spike");
  mho__spike_traces_head(w);
  add(t, "\n* parameters\n");
  mho__netlist_parameter(t, "v_read", net->array.read_voltage, "V, of a word line that spikes");
  mho__netlist_parameter(t, "v_unit", w->v_unit, "V, a potential of 1");
  mho__netlist_parameter(t, "c_mem", C_MEM, "F, a membrane");
  mho__netlist_parameter(t, "p", w->p, "s, of a pulse");
  mho__netlist_parameter(t, "hold", w->hold, "s, for which a neuron that has fired cannot again");
  mho__netlist_parameter(t, "held", w->held, "s, for which its potential is held");
  if (w->has_line)
    mho__netlist_parameter(t, "quiet", w->quiet, "s, for which the line of a layer holds others");
  mho__netlist_parameter(t, "edge", EDGE * w->p, "s, of switches");
}

/* What a neuron has of the line of its layer, and of the one that shows the largest excess. */
static void add_ends_of_lines(writer *w) {
  mho_spice_text *t = &w->t;
  if (w->has_line)
    add(t, "* line of the layer: up for p after a spike; m: the last that was is the neuron's own\n"
           "Bo 0 o I=(V(q) >= 0.5 && V(t)*hold < p ? 1 : 0)\nCm m 0 {c_mem}\n"
           "Bm 0 m I=c_mem*((V(o) >= 0.5 ? V(q) >= 0.5 && V(t)*hold < p : "
           "V(m) >= 0.5 && V(l) >= 0.5) ? 1-V(m) : -V(m))/edge\n");
  if (w->has_winner)
    add(t, "* excess over the threshold; one that has just fired is above all\n"
           "Be e 0 V=(V(q) >= 0.5 && V(t)*hold < p ? 10 : V(u)-theta)\n");
}

/* When a neuron compares: not while others hold it, nor, where potentials jump, before they have;
 * and whether it is the winner. */
static void add_conditions(writer *w) {
  if (w->has_line)
    add(&w->t, " && (V(l) < 0.5 || V(m) >= 0.5)");
  if (w->is_strobed)
    add(&w->t, " && abs(I(Vi)) < 1e-6*i_unit");
  if (w->has_winner)
    add(&w->t, " && V(u)-theta > V(w)-1e-6");
}

static void add_neuron(writer *w) {
  mho_spice_text *t = &w->t;
  bool has_current = w->c->synapse == MHO_SYNAPSE_CURRENT, is_direct = w->x->x;
  const char *in = has_current ? "c_mem*V(s)/tau" : "I(Vi)";
  add(t,
      "\n* neuron: currents into i move u unless it is held; at theta q is set, until the timer "
      "has run\n.subckt lif i u q z n%s%s%s tau=20m theta=0.5 rest=0 reset=0%s\nVi i 0 0\n",
      is_direct ? " d" : "", w->has_line ? " o l" : "", w->has_winner ? " e w" : "",
      w->has_line ? " calm=0" : "");
  if (has_current)
    add(t, "* synapse\nCs s 0 {c_mem}\nBs 0 s I=I(Vi)-c_mem*V(s)/tau_syn\n");

  if (is_direct)
    add(t, "* inputs as they are\nVd d 0 0\n");

  add(t, "* membrane\nCu u 0 {c_mem}\nBu 0 u I=(%s",
      w->has_line ? "V(l) >= 0.5 && V(m) < 0.5 ? c_mem*(calm-V(u))/edge : (" : "");
  add(t,
      "V(q) >= 0.5 && V(t)*hold < held ? c_mem*(reset-V(u))/edge : %s%s+c_mem*(rest-V(u))/tau%s)\n"
      "* comparator and latch\nCq q 0 {c_mem}\nBq 0 q I=c_mem*(((V(u) >= theta",
      in, is_direct ? "+I(Vd)" : "", w->has_line ? ")" : "");
  add_conditions(w);
  add(t, " || V(q) >= 0.5) && V(t) < 1 ? 1 : 0)-V(q))/edge\n"
         "* timer\nCt t 0 {c_mem}\n"
         "Bt 0 t I=(V(q) >= 0.5 ? c_mem/hold : -c_mem*V(t)/edge)\n"
         "* word line: a wave of 2 p whose area is that of v_read for p\n"
         "Bz z 0 V=(V(q) >= 0.5 && V(t)*hold < 2*p ? v_read*(1-cos(pi*V(t)*hold/p))/2 : 0)\n"
         "* count\nCn n 0 {c_mem}\nBn 0 n I=(V(q) >= 0.5 ? c_mem/hold : 0)\n");
  add_ends_of_lines(w);
  add(t, ".ends\n");
}

static void add_subcircuits(writer *w) {
  add_neuron(w);
  if (w->has_line)
    add(&w->t, "\n* one-shot: l is 1 V for quiet after the last time that o went up, which lasts "
               "p\n.subckt oneshot o l\nRo o 0 1\nCl l 0 {c_mem}\n"
               "Bl 0 l I=c_mem*((V(o) >= 0.5 || (V(l) >= 0.5 && V(t) < 1) ? 1 : 0)-V(l))/edge\n"
               "Ct t 0 {c_mem}\nBt 0 t I=(V(l) >= 0.5 && V(o) < 0.5 ? c_mem/(quiet-p) : "
               "-c_mem*V(t)/edge)\n.ends\n");
}

/* ---------------------------------------------------------------- inputs */

/* Pulses of an input, whose middles are its spikes. */
static void add_pulses(writer *w, int i) {
  mho_spice_text *t = &w->t;
  double half = w->p / 2, edge = w->p * EDGE, v = w->x->net->array.read_voltage;
  add(t, "Vx_%d x_%d 0 PWL(0 0", i, i);
  for (int k = 0; k < w->x->n; k++) {
    const mho_spike_time *s = &w->x->spike[k];
    if (s->layer != 0 || s->unit != i)
      continue;
    double middle = fmax(s->time, half + edge);
    const double at[] = {middle - half - edge / 2, middle - half + edge / 2,
                         middle + half - edge / 2, middle + half + edge / 2};
    for (int m = 0; m < MHO_COUNT(at); m++)
      add(t, " %s %s", number(at[m]), number(m == 1 || m == 2 ? v : 0));
    add(t, "\n+");
  }
  add(t, ")\n");
}

static void add_inputs(writer *w) {
  mho_spice_text *t = &w->t;
  add(t, "\n* inputs (V); those that %s have no line\n", w->x->x ? "are 0" : "never spike");
  for (int i = 0; i < w->x->net->layer[0].n; i++) {
    if (!w->fires[i])
      continue;
    if (!w->x->x) {
      add_pulses(w, i);
      continue;
    }
    add(t, "Vx_%d x_%d 0 %s\n", i, i, number(w->x->net->array.read_voltage * w->x->x[i]));
  }
}

static void find_inputs(writer *w) {
  for (int i = 0; w->x->x && i < w->x->net->layer[0].n; i++)
    w->fires[i] = w->x->x[i] != 0;
  for (int k = 0; !w->x->x && k < w->x->n; k++)
    if (w->x->spike[k].layer == 0)
      w->fires[w->x->spike[k].unit] = true;
}

/* ---------------------------------------------------------------- crossbars */

/* A crossbar's conductances. */
typedef struct arrays {
  double *g[MHO_BANKS_MAX]; /* [rows x cols], S */
  double unit;              /* S of a weight of 1 */
} arrays;

static bool arrays_new(const mho_crossbar *x, arrays *a) {
  bool has_all = true;
  for (int b = 0; b < x->n_banks; b++) {
    a->g[b] = mho_alloc(mho_crossbar_cells(x), sizeof *a->g[b]);
    has_all = has_all && a->g[b];
  }
  return has_all;
}

static void arrays_free(arrays *a) {
  for (int b = 0; b < MHO_BANKS_MAX; b++)
    mho_free(a->g[b]);
}

/* The device of line i and column j, of g siemens, between the line and the column's end. */
static void add_cell(writer *w, const mho_link *k, char sign, int i, int j, const char *end,
                     double g) {
  const char *from = w->x->net->layer[k->from].name, *to = w->x->net->layer[k->to].name;
  char name[MHO_NETLIST_NAME], line[MHO_NETLIST_NAME];
  mho__netlist_resistor(name, sign, from, to, i, j);
  mho__spike_line(w, k->from, i, line);
  add(&w->t, "R%s %s %s %s\n", name + 1, line, end, number(mho__netlist_ohm(g)));
}

/* The devices of column j, the virtual grounds at their ends, and what flows on into the neuron. */
static void add_column(writer *w, const mho_link *k, const arrays *a, int j) {
  mho_spice_text *t = &w->t;
  const mho_network *net = w->x->net;
  const mho_crossbar *xb = net->connection[k->connection].xb;
  const char *from = net->layer[k->from].name, *to = net->layer[k->to].name;
  double amplified = mho_spiking_gain(net, k) * (double)k->scale / a->unit;

  for (int b = 0; b < xb->n_banks; b++) {
    char end[MHO_NETLIST_NAME];
    snprintf(end, sizeof end, "%c_%s_%s_%d", xb->role[b].letter, from, to, j);
    for (int i = 0; i < xb->rows; i++) {
      double g = a->g[b][mho__core_cell(xb, i, j)];
      bool is_driven = k->from > 0 || w->fires[i];
      if (g > 0 && is_driven)
        add_cell(w, k, xb->role[b].letter, i, j, end, g);
    }

    bool is_direct = w->x->x && k->from == 0;
    add(t, "V%s %s 0 0\nF%s 0 %c_%s_%d V%s {%s*i_%s/v_read}\n", end, end, end,
        is_direct ? 'd' : 'i', to, j, end, number(amplified * xb->role[b].gain),
        is_direct ? "direct" : "unit");
  }
}

static mho_err add_crossbar(writer *w, const mho_link *k, mho_errinfo *ei) {
  const mho_network *net = w->x->net;
  const mho_crossbar *xb = net->connection[k->connection].xb;
  arrays a = {.unit = 0};
  if (!arrays_new(xb, &a)) {
    arrays_free(&a);
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar");
  }

  mho_netlist_siemens(xb, w->x->device, 0, a.g, &a.unit);
  add(&w->t, "\n* crossbar %s -> %s (ohm), %.9g S of a weight of 1\n", net->layer[k->from].name,
      net->layer[k->to].name, a.unit);
  for (int j = 0; j < mho__spike_count(w, k->to); j++)
    add_column(w, k, &a, j);
  arrays_free(&a);
  return MHO_OK;
}

static mho_err add_crossbars(writer *w, mho_errinfo *ei) {
  const mho_network *net = w->x->net;
  mho__netlist_parameter(&w->t, "i_unit", C_MEM * w->v_unit / w->p, "A, that brings 1 in a pulse");
  if (w->x->x)
    mho__netlist_parameter(&w->t, "i_direct", C_MEM * w->v_unit / w->c->tau,
                           "A, that drives a potential to 1");
  if (w->c->synapse == MHO_SYNAPSE_CURRENT)
    mho__netlist_parameter(&w->t, "tau_syn", w->c->tau_syn, "s, of currents");

  for (int i = 0; i < net->n_links; i++) {
    mho_err err = is_heard(net, &net->link[i]) ? add_crossbar(w, &net->link[i], ei) : MHO_OK;
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- neurons */

/* What neurons of a layer have in common: the one-shot of their line, and the largest excess. */
static void add_lines(writer *w, int l) {
  mho_spice_text *t = &w->t;
  const char *name = w->x->net->layer[l].name;
  if (w->has_line)
    add(t, "Xline_%s o_%s l_%s oneshot\n", name, name, name);
  if (!w->has_winner)
    return;

  int n = mho__spike_count(w, l);
  for (int j = 0; j < n; j++) {
    add(t, "Bw_%s_%d w_%s_%d 0 V=", name, j, name, j);
    if (j == 0)
      add(t, "V(e_%s_0)\n", name);
    else
      add(t, "max(V(w_%s_%d),V(e_%s_%d))\n", name, j - 1, name, j);
  }
}

static void add_neurons(writer *w, int l) {
  mho_spice_text *t = &w->t;
  const char *name = w->x->net->layer[l].name;
  bool subtracts = w->c->reset == MHO_RESET_SUBTRACT; /* of a potential at the threshold */
  int n = mho__spike_count(w, l);
  add(t, "\n* neurons of %s\n", name);
  add_lines(w, l);
  for (int j = 0; j < n; j++) {
    add(t, "X%s_%d i_%s_%d u_%s_%d q_%s_%d z_%s_%d n_%s_%d ", name, j, name, j, name, j, name, j,
        name, j, name, j);
    if (w->x->x)
      add(t, "d_%s_%d ", name, j);
    if (w->has_line)
      add(t, "o_%s l_%s ", name, name);
    if (w->has_winner)
      add(t, "e_%s_%d w_%s_%d ", name, j, name, n - 1);
    add(t, "lif tau=%s theta=%s rest=%s reset=%s", number(tau_of(w, l, j)),
        number(w->v_unit * w->x->theta[l][j]), number(w->v_unit * w->c->rest),
        number(subtracts ? 0 : w->v_unit * w->c->reset_to));
    if (w->has_line)
      add(t, " calm=%s", number(w->v_unit * (subtracts ? w->c->rest : w->c->reset_to)));
    add(t, "\n.ic v(u_%s_%d)=%s\n", name, j, number(w->v_unit * w->c->rest));
  }
}

/* ---------------------------------------------------------------- what is printed */

double mho__spike_late(const mho_spike_circuit *w, int i) {
  const mho_spike_time *s = &w->x->spike[i];
  double more = w->held - w->c->refractory + 0.1 * w->p;
  if (w->has_line)
    more += w->quiet - w->c->inhibit_time;

  int earlier = 0;
  for (int k = 0; k < i; k++) {
    bool is_own = w->x->spike[k].unit == s->unit || w->has_line;
    earlier += w->x->spike[k].layer == s->layer && is_own;
  }
  double late = w->p * (s->layer + (w->is_strobed ? 1 : 0.5)) + earlier * more;
  bool is_slow = s->layer > 1 && w->c->synapse == MHO_SYNAPSE_CURRENT;
  return is_slow ? fmax(late, OF_TAU * w->c->tau) : late;
}

/* The commands, or the comments, of one neuron's spikes. */
static void add_spikes(writer *w, int l, int j, bool expects) {
  mho_spice_text *t = &w->t;
  const char *name = w->x->net->layer[l].name;
  double sure = w->x->stop - 4 * w->hold - 10 * w->p;
  bool is_late = false;
  int n = 0;
  for (int k = 0; k < w->x->n; k++) {
    const mho_spike_time *s = &w->x->spike[k];
    if (s->layer != l || s->unit != j)
      continue;
    is_late = is_late || s->time > sure;
    n++;
    if (s->time > sure)
      continue;
    char value[MHO_NETLIST_NAME];
    snprintf(value, sizeof value, "t_%s_%d_%d", name, j, n);
    if (expects)
      mho__netlist_expect(t, value, -1, s->time, mho__spike_late(w, k), "s");
    else
      add(t, "meas tran %s when v(q_%s_%d)=0.5 rise=%d\nprint %s\n", value, name, j, n, value);
  }

  char count[MHO_NETLIST_NAME];
  snprintf(count, sizeof count, "count_%s_%d", name, j);
  if (is_late)
    return;
  if (expects)
    mho__netlist_expect(t, count, -1, n, 0.1 + 0.02 * n, "spikes");
  else
    add(t, "let %s=v(n_%s_%d)[length(v(n_%s_%d))-1]\nprint %s\n", count, name, j, name, j, count);
}

static void add_results(writer *w, bool expects) {
  for (int l = 1; l <= mho__spike_last(w->x->net); l++)
    for (int j = 0; j < mho__spike_count(w, l); j++)
      add_spikes(w, l, j, expects);
  mho__spike_traces_results(w, expects);
}

static void add_control(writer *w) {
  mho_spice_text *t = &w->t;
  add(t, "\n.options method=trap reltol=1e-4\n\n"
         "* the core, exactly between events: s, but for a pulse or two\n");
  add_results(w, true);
  mho__netlist_transient(t, w->p, w->x->stop, w->p / STEPS);
  add_results(w, false);
  add(t, "quit\n.endc\n.end\n");
}

static mho_err write_all(writer *w, mho_errinfo *ei) {
  find_inputs(w);
  add_head(w);
  add_subcircuits(w);
  mho__spike_traces_subcircuits(w);
  add_inputs(w);
  mho_err err = add_crossbars(w, ei);
  for (int l = 1; l <= mho__spike_last(w->x->net); l++)
    add_neurons(w, l);
  mho__spike_traces_add(w);
  add_control(w);
  if (!err && w->t.failed)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a netlist");
  return err;
}

mho_err mho__netlist_spikes_write(const mho_netlist_spikes *x, char **out, mho_errinfo *ei) {
  *out = NULL;
  mho_err err = mho__netlist_spikes_check(x->net, ei);
  if (err)
    return err;
  const mho_spiking_config *c = x->net->spiking;
  bool has_line = c->inhibit == MHO_INHIBIT_LINE, jumps = c->synapse == MHO_SYNAPSE_DELTA;
  writer w = {.x = x,
              .c = c,
              .has_line = has_line,
              .is_strobed = has_line && jumps,
              .has_winner = has_line && jumps && c->winners == MHO_WINNERS_ONE};
  const mho_layer *last = &x->net->layer[mho__spike_last(x->net)];
  if (x->neurons > last->n)
    return mho_fail(ei, MHO_EINVAL, "--neurons: layer %s has only %d", last->name, last->n);
  bool is_cut = x->neurons > 0 && x->neurons < last->n;
  if (has_line && is_cut)
    return mho_fail(ei, MHO_EUNSUPPORTED,
                    "--neurons: neurons of a layer that share a line (neuron.inhibit) are in a "
                    "circuit together: leave it out");
  err = find_times(&w, ei);
  if (err)
    return err;

  w.fires = mho_alloc((size_t)x->net->layer[0].n, sizeof *w.fires);
  err = w.fires ? write_all(&w, ei) : mho_fail(ei, MHO_ENOMEM, "no memory for a netlist");
  mho_free(w.fires);
  if (err)
    mho_free(w.t.p);
  else
    *out = w.t.p;
  return err;
}
