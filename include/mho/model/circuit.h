/* circuit.h - circuits of devices, crossbars and networks, and what ngspice makes of them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_CIRCUIT_H
#define MHO_MODEL_CIRCUIT_H

#include "mho/model/settle.h"
#include "mho/spice.h"

/* ---------------------------------------------------------------- netlists */

/** One read of a crossbar. Word line i and bit line j are joined by a device of every bank,
 *  G+[i][j] and G-[i][j] of a pair, each bank in an array of its own.
 *   forward      word lines w<i> driven by Vin<i>, bit lines p<j> and n<j> sensed at 0 V:
 *                I[j] = sum_i (G+[i][j] - G-[i][j]) V[i]
 *   transposed   bit lines b<j> driven by Vin<j>, word lines p<i> and n<i> sensed at 0 V:
 *                I[i] = sum_j (G+[i][j] - G-[i][j]) V[j]
 *  Other banks than those of a pair have other letters than p and n and gains of their own
 *  (mho_bank), with which their currents are added.
 *  Devices are resistors Rp_<i>_<j>, Rn_<i>_<j>, or with an I-V law subcircuits Xp_<i>_<j>,
 *  Xn_<i>_<j>, whose voltage is that of the driven line against the sensed one, forward and
 *  transposed; sensed currents are i(Vp<k>), i(Vn<k>), into ground, positive for positive V.
 *
 *  With wires the lines have a node at every device, wp_<i>_<j> and bp_<i>_<j> (wn_, bn_ of the
 *  negative array). A segment r_word lies between the left end of a word line and its first device
 *  and between neighbouring devices; a segment r_bit between neighbouring devices of a bit line and
 *  between the last one and its bottom end; the other ends are open. Either resistance may be 0:
 *  those lines are single nodes then. Tiles cut the lines: each has wires of its own from the
 *  driver and to the virtual ground, where the tiles' currents add up. What drives or senses a line
 *  may have a resistance, word_end at the left and bit_end at the bottom, each array its own; the
 *  nodes behind it are wep_<i> and bep_<j> (wen_, ben_).
 *
 *  Set the members by name: the rest is zero, and zero is a sensible default. */
typedef struct mho_netlist_crossbar {
  int rows, cols;
  int n_banks;
  /** [n_banks] of [rows x cols], S; a 0 is left out of the circuit. */
  const double *g[MHO_BANKS_MAX];
  /** [n_banks], as of mho_crossbar.role; nullable: positive devices, then negative ones. */
  const mho_bank *role;
  const double *v_in; /**< V: [rows], transposed [cols] */
  /** Whose I-V law the devices have, g the slope at 0 V; nullable: resistors. */
  const mho_device_config *iv;
  bool transposed;      /**< drive bit lines, sense word lines */
  double r_word, r_bit; /**< ohm a wire segment; 0: no wires */
  /** ohm in series with every line's end, of arrays that are one tile; 0: none. */
  double word_end, bit_end;
  /** Rows and columns of a physical tile; 0: as large as the array. */
  int tile[2];
  /** Inputs by external sources, and devices of conductance 0 too, for a session. */
  bool external;
  bool save_nodes; /**< keep the voltages of all nodes among the results */
  /** Add the .control block that makes `ngspice -b` run and print it. */
  bool control;
  /** Nullable; A: [cols], transposed [rows]; written as comments. */
  const double *expected;
  /** Of `expected`, relative to the largest current; written beside it. */
  double tolerance;
  const char *title; /**< nullable */
} mho_netlist_crossbar;

/** Into a netlist the I-V law that reads of a crossbar show, and its wires and tiles where it has
 * some.
 *  @param wires  what the config says of the array.
 *  @return MHO_OK; MHO_EUNSUPPORTED where G- lies in the next column (array.wire.negative). */
MHO_API mho_err mho_netlist_crossbar_wires(mho_netlist_crossbar *netlist, const mho_crossbar *x,
                                           const mho_array_config *wires, mho_errinfo *ei);
/** The netlist as text. With control it prints "out<k> = I" in A for each output when run by
 *  `ngspice -b`.
 *  @param out  the text; free it with mho_free.
 *  @return MHO_OK; MHO_EINVAL for an empty array, a conductance that is negative, not finite or too
 *          small to have a resistance, a voltage that is not finite (with row and column in ei), a
 *          negative or infinite resistance, tiles behind ends with a resistance; MHO_ENOMEM. */
MHO_API mho_err mho_netlist_crossbar_write(const mho_netlist_crossbar *x, char **out,
                                           mho_errinfo *ei);

/** The currents that the core expects of a netlist's crossbar, I-V law, wires and tiles included,
 *  in double precision.
 *  @param x    its v_in is the input.
 *  @param out  [cols], transposed [rows], A.
 *  @return MHO_OK; as mho_wire_new, mho_wire_set, mho_wire_solve and mho_wire_newton;
 *          MHO_EUNSUPPORTED for the law hfo2 between wires. */
MHO_API mho_err mho_netlist_crossbar_currents(const mho_netlist_crossbar *x, double *out,
                                              mho_errinfo *ei);

/** Read a crossbar in ngspice for n input vectors: the netlist is loaded once, then the inputs are
 *  changed.
 *
 *  The first .op of an array with wires orders its matrix, which takes 0.1 s at 32 x 32 and 7 s at
 *  64 x 64.
 *
 *  @param x       its v_in, expected and control are not used.
 *  @param v       [n x rows], transposed [n x cols], V.
 *  @param i_out   [n x cols], transposed [n x rows], A.
 *  @param v_word  [n x rows x cols], voltage of the word line at each device of the positive array,
 *                 V; nullable, with v_bit.
 *  @param v_bit   the same of the bit line.
 *  @return as mho_netlist_crossbar_write, mho_spice_load and mho_spice_run. */
MHO_API mho_err mho_spice_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n,
                                   const double *v, double *i_out, double *v_word, double *v_bit,
                                   mho_errinfo *ei);

/* ---------------------------------------------------------------- the whole network */

/** A controller at the read-out, see rule dfc. */
typedef struct mho_netlist_controller {
  /** [classes], one of the two: what the summed inputs are driven to, or their softmax. */
  const double *reach, *label;
  double leak, proportional;
  bool leak_on_integral; /**< else on the control */
  double ratio;          /**< time constant of the neurons over tau_u */
  const double *u;       /**< [classes] controls that are expected; nullable */
} mho_netlist_controller;

#define MHO_NETLIST_TAU   100e-9 /**< s, time constant of a neuron by default */
#define MHO_NETLIST_R_MEM 10e3   /**< ohm, its membrane */

/** How clamped inputs enter the circuit. */
enum {
  MHO_NETLIST_FULL, /**< sources that drive the word lines of crossbars */
  /** Their Norton equivalent, one current into each neuron: exact, as crossbars end in virtual
   *  grounds, and far smaller. */
  MHO_NETLIST_NORTON,
};

/** A settling network as a circuit.
 *
 *   inputs      V(x_<i>) = v_read x_i
 *   crossbars   a resistor for each device, from the line that is driven to a virtual ground
 *               p_<link>_<j> or n_<link>_<j> (positive and negative devices); feedback that reads a
 *               crossbar transposed has a copy of it, because a line cannot be driven and sensed at
 *               once
 *   sense       virtual ground and difference of the two currents, scaled by
 *               v_unit/(v_read r_mem g_unit)
 *   neuron      C dv/dt = -v/R + sum of currents at node u_<layer>_<j>,
 *               V(z_<layer>_<j>) = v_read rho(v/v_unit)
 *   feedback    amplifiers of gain beta_i drive f_<link>_<j>
 *   read-out    u_out_<k> = v_unit logit; its error is computed outside and drives e_<k>,
 *               times the voltage at node nudge (0 in the free phase, 1 in the nudged one)
 *
 *  With a controller there is no nudge and no feedback, but
 *
 *   controller  dq/dt = (e - leak u)/tau_u on a capacitor, V(q_<k>) 1 V a control of 1;
 *               V(w_<k>) = q + proportional e, times the voltage at node on (0: no control), which
 *               flows into u_out_<k> and drives c_<k>, the lines of the arrays of control links
 *   neuron      V(a_<layer>_<j>) = v_unit times the summed input without control, which flows into
 *               u_<layer>_<j> beside what the control link brings; V(y_<layer>_<j>) = v_read rho of
 *               it: the activity that the neuron learns against
 *
 *  One <link> is <from>_<to>, as in p_x_h1_3. Set the members by name: the rest is zero, and a
 *  default. */
typedef struct mho_netlist_network {
  const mho_network *net;
  const mho_device_config *device; /**< conductances of the ideal device */
  const double *top;               /**< [connections], nullable: see mho_netlist_siemens */
  const double *x;                 /**< [features] */
  const double *error;             /**< [classes] o - t that nudges; nullable: free phase only */
  double nudge;                    /**< beta_f */
  /** Nullable: in place of an error, for networks with control links from the read-out. */
  const mho_netlist_controller *controller;
  /** V, V, ohm, s; 0: the crossbars' read voltage, the same, MHO_NETLIST_R_MEM, MHO_NETLIST_TAU. */
  double v_read, v_unit, r_mem, tau;
  int inputs;     /**< MHO_NETLIST_FULL, MHO_NETLIST_NORTON */
  bool external;  /**< inputs and error by external sources, for a session */
  bool transient; /**< the .control block runs .tran instead of .op */
  double stop;    /**< s, of .tran (see mho_netlist_settling_time); 0: 50 tau */
  /** Add the .control block that makes `ngspice -b` run and print it. */
  bool control;
  /** [n_layers] of [n], nullable: expected activities, logits last; written as comments. With a
   *  controller `nudged` are those under control. */
  const double *const *free, *const *nudged;
  double tolerance;  /**< of them, of the activity's unit, of logits of the largest */
  const char *title; /**< nullable */
} mho_netlist_network;

/** Whether a network has a circuit. MHO_EUNSUPPORTED for a neuron without one or with circuits of
 *  its own (neuron.*), for connections that are not one crossbar from layer to layer (convolutions,
 *  biases), and for reads that show the devices' I-V law. */
MHO_API mho_err mho_netlist_network_check(const mho_network *net, mho_errinfo *ei);
/** Whether a network under a controller has one. The same, and MHO_EUNSUPPORTED unless controls
 *  come to hidden layers by arrays of their own (feedback.path direct). */
MHO_API mho_err mho_netlist_control_check(const mho_network *net, mho_errinfo *ei);
/** The netlist as text. With control it prints "free_<layer>_<j> = V" for every neuron's V(z) and
 *  every V(u_out), and "nudged_<layer>_<j>" with an error, or "controlled_<layer>_<j>" and
 *  "control_<k>" with a controller, when run by `ngspice -b`.
 *  @param out  the text; free it with mho_free.
 *  @return MHO_OK; MHO_EINVAL for a sample or error that is not finite; as
 *          mho_netlist_network_check; MHO_ENOMEM. */
MHO_API mho_err mho_netlist_network_write(const mho_netlist_network *x, char **out,
                                          mho_errinfo *ei);

/** Conductances of a connection as netlists have them, [n_banks] of [rows x cols]. With the ideal
 *  device weights of +-top lie at the ends of g_min .. g_max.
 *  @param top  0: the largest |weight|. */
MHO_API void mho_netlist_siemens(const mho_crossbar *x, const mho_device_config *device, double top,
                                 double *const *g, double *g_unit);

/** Subcircuits of a network of such neurons, the text of models/neuron_<id>.lib. Free it with
 *  mho_free. */
MHO_API mho_err mho_netlist_neuron_lib(const mho_neuron *neuron, char **out, mho_errinfo *ei);

/** How long a network takes to come within e^-24 of rest, s: 24 tau/(1 - max Re eig), of the matrix
 *  of the slope of every neuron's input with every other's, at the activities z ([n_layers] of
 *  [n]); infinite when it does not come to rest. For up to some hundred hidden neurons.
 *  @return MHO_OK; MHO_ENOMEM; MHO_ESINGULAR. */
MHO_API mho_err mho_netlist_settling_time(const mho_network *net, const double *const *z,
                                          double tau, double *out, mho_errinfo *ei);

/** A network loaded into a session, settled for one sample after another: inputs and errors are
 *  external sources, weights are changed by alter. */
typedef struct mho_spice_network mho_spice_network;

/** How a network is settled in a session of ngspice. */
typedef struct mho_spice_network_options {
  const mho_network *net; /**< must outlive its use */
  const mho_device_config *device;
  int inputs;     /**< MHO_NETLIST_FULL, MHO_NETLIST_NORTON */
  bool transient; /**< settle by .tran from 0 V instead of .op */
  double stop;    /**< s, of .tran; 0: 50 tau */
} mho_spice_network_options;

/** Write the netlist and load it.
 *  @return as mho_netlist_network_write and mho_spice_load. */
MHO_API mho_err mho_spice_network_new(mho_spice *s, const mho_spice_network_options *o,
                                      mho_spice_network **out, mho_errinfo *ei);
/** Nullable; before the session is closed. */
MHO_API void mho_spice_network_free(mho_spice_network *c);
/** Change the resistors of the devices whose conductances have changed since; loads anew when
 *  weights of the ideal device have outgrown their range. */
MHO_API mho_err mho_spice_network_refresh(mho_spice_network *c, mho_errinfo *ei);
/** Another network of the same layers, links and neurons in its place, and refresh. */
MHO_API mho_err mho_spice_network_rebind(mho_spice_network *c, const mho_network *net,
                                         const mho_device_config *device, mho_errinfo *ei);
/** Settle one sample.
 *  @param x      [features].
 *  @param nudge  beta_f; 0: free phase.
 *  @param error  [classes] o - t; null in the free phase.
 *  @param z      [n_layers] of [n], out: activities of the hidden layers, logits of the last; the
 *                first is not used.
 *  @return MHO_OK; MHO_ESPICE when it did not settle. */
MHO_API mho_err mho_spice_network_settle(mho_spice_network *c, const double *x, double nudge,
                                         const double *error, double *const *z, mho_errinfo *ei);
/** Another time for .tran, s. */
MHO_API void mho_spice_network_stop(mho_spice_network *c, double stop);

/* ---------------------------------------------------------------- networks of resistors */

/** A whole network of resistors (dynamics resistive): sources x_<i> hold the inputs, resistors of
 *  1/(g g_unit) join the nodes v_<layer>_<j>, currents are their biases. Diodes and amplifiers are
 *  sources that follow a node; a nudge is a resistor to the target, or a current. Devices conduct
 *  what they do; of the ideal device the largest conductance of the network is device->g_max.
 *  array.read_voltage drives an input of 1. Set the members by name: the rest is zero, and a
 *  default. */
typedef struct mho_netlist_resistors {
  const mho_network *net;
  const mho_device_config *device;
  const double *x;      /**< [inputs] A x and -A x */
  const double *target; /**< [classes]; nullable: free phase only */
  double nudge;         /**< beta_f, of either sign, over a unit of conductance */
  bool by_current;      /**< nudge by current, for which `free` is known */
  bool control;         /**< add the .control block that makes `ngspice -b` run and print it */
  /** Values will be altered: conductances of 0 stand in it, too, and nudges of both kinds. */
  bool altered;
  /** [n_layers] of [n], nullable: expected voltages, in units of the network; outputs last. */
  const double *const *free, *const *nudged;
  double tolerance;  /**< of them, relative to the layer's largest */
  const char *title; /**< nullable */
} mho_netlist_resistors;

/** Whether a network of resistors has a circuit: MHO_EUNSUPPORTED where no conductances join a node
 *  with an input; MHO_EINVAL for a network of neurons; MHO_ENOMEM. */
MHO_API mho_err mho_netlist_resistors_check(const mho_network *net, mho_errinfo *ei);
/** The netlist as text. With control it prints "free_<layer>_<j> = V" for every node, and
 *  "nudged_<layer>_<j>" with a target, when run by `ngspice -b`.
 *  @param out  the text; free it with mho_free.
 *  @return MHO_OK; as mho_netlist_resistors_check. */
MHO_API mho_err mho_netlist_resistors_write(const mho_netlist_resistors *x, char **out,
                                            mho_errinfo *ei);

/* ---------------------------------------------------------------- a device under pulses */

/** A device and a train of pulses. Its subcircuit mem_<model> has the state at node g (normalized
 *  conductance as a voltage) and the conductance at node gs; models that know identical pulses only
 *  answer a voltage above half a pulse's, the others integrate their own variable under any
 *  voltage. Set the members by name. */
typedef struct mho_netlist_device {
  const mho_device_model *model;
  const void *params;              /**< of the model */
  const mho_device_config *config; /**< g_min, g_max, I-V law */
  int n;
  const int8_t *pulse;    /**< [n] > 0: SET, else RESET */
  double start;           /**< normalized conductance before them */
  const double *expected; /**< [n] S after each; nullable */
  double tolerance;       /**< of them, relative */
  /** Add the .control block that makes `ngspice -b` run and print it. */
  bool control;
  const char *title; /**< nullable */
} mho_netlist_device;

/** The netlist as text. With control it prints "g<k> = G" in S after pulse k, from 1.
 *  @return MHO_OK; MHO_EUNSUPPORTED for a device that knows no pulses; MHO_EINVAL for no pulses or
 *          a start outside of 0..1; errors of the model's own; MHO_ENOMEM. */
MHO_API mho_err mho_netlist_device_write(const mho_netlist_device *x, char **out, mho_errinfo *ei);
/** Its subcircuits, the text of models/<id>.lib: under pulses, and at rest as a resistive
 *  snapshot. */
MHO_API mho_err mho_netlist_device_lib(const mho_netlist_device *x, char **out, mho_errinfo *ei);
/** Run it: conductances after the pulses, [n], S. @return as mho_netlist_device_write,
 *  mho_spice_load, _run. */
MHO_API mho_err mho_spice_device(mho_spice *s, const mho_netlist_device *x, double *out,
                                 mho_errinfo *ei);
/** Runs of SET (1) and RESET (-1) of random length, about 7, so that a device visits its range,
 *  [n]. */
MHO_API void mho_netlist_random_pulses(uint64_t seed, int n, int8_t *pulse);
/** What the core makes of the same pulses: the mean response, without noise and spread, [n], S. The
 *  steps are those of the model in the core, added up in double precision; a bank of cells rounds
 *  its state to single precision after each pulse, by at most 2^-25 of the range. */
MHO_API mho_err mho_cosim_device_core(const mho_netlist_device *x, double *out, mho_errinfo *ei);

/* ---------------------------------------------------------------- co-simulation */

/** Fills the row's n, max_abs, rms and max_rel: relative to the largest |core|, or to
 *  scale_of_zeros where all of them are 0. @return the index of the largest difference. */
MHO_API int mho_cosim_compare(int n, const double *core, const double *spice, double scale_of_zeros,
                              mho_cosim_row *row);

/** Read a crossbar in ngspice for n input vectors and compare its currents with those of the core.
 *
 *  @param x          its v_in is not used.
 *  @param v          [n x rows], transposed [n x cols], V.
 *  @param core       [n x cols], transposed [n x rows], A.
 *  @param tolerance  on the largest difference, relative to the largest |core| current (to the
 *                    largest that the devices could make when all of them are 0).
 *  @param spice      as core, out: what ngspice found.
 *  @param place      storage of row->place.
 *  @param row        what, quantity, unit, place of the largest difference, n; max_abs and rms of
 *                    the differences (A), max_rel = max_abs relative as above, pass = max_rel <=
 *                    tolerance; spice_s: seconds of write, load, run and read. core_s is NaN, for
 *                    the caller to set.
 *  @return MHO_OK when it ran, whether or not it passed; else as mho_spice_crossbar. */
MHO_API mho_err mho_cosim_crossbar(mho_spice *s, const mho_netlist_crossbar *x, int n,
                                   const double *v, const double *core, double tolerance,
                                   double *spice, char place[MHO_PLACE_MAX], mho_cosim_row *row,
                                   mho_errinfo *ei);

/** Read a crossbar for n random vectors in the core and in ngspice and compare, see
 *  mho_cosim_crossbar. Inputs are normal deviates, within +-1 where reads show the devices' I-V
 *  law.
 *
 *  The core is in single precision and agrees to 1e-5, the rounding of a sum of floats. With an I-V
 *  law and wires it bends the inputs and multiplies with the linear array's effective matrix: that
 *  the wires' voltages fall with the bent currents is left out, and 1 % of it is let pass.
 *
 *  @param x       reads without noise and converters (mho_crossbar_read_ideally).
 *  @param device  conductances of the ideal device.
 *  @param result  is called once; the row has core_s.
 *  @return MHO_OK when it ran, whether or not it passed; as mho_netlist_crossbar_wires and
 *          mho_cosim_crossbar. */
MHO_API mho_err mho_cosim_reads(mho_spice *s, const mho_crossbar *x,
                                const mho_device_config *device, const mho_array_config *wires,
                                bool transposed, int n, mho_cosim_result result, void *user,
                                mho_errinfo *ei);

/** A device under 200 pulses at random, from mid range, in the core and in ngspice: conductances
 *  after each are to agree to 1e-6. @return MHO_OK when it ran, whether or not it passed; as
 *  mho_cosim_device_core and mho_spice_device. */
MHO_API mho_err mho_cosim_device(mho_spice *s, const mho_device_model *model, const void *params,
                                 const mho_device_config *config, mho_cosim_result result,
                                 void *user, mho_errinfo *ei);

/** What a network's circuit is compared in. */
typedef struct mho_cosim_network_options {
  const mho_network *net; /**< its crossbars read without noise; must come to rest */
  /** How the core settles: a settler with parameters `tolerance` and `nudged` that settles the
   *  difference itself, such as sweep, and the dynamics, whose neurons are circuits. */
  const mho_settler *settler;
  const mho_dynamics *dynamics;
  const mho_device_config *device;
  int samples;         /**< at most MHO_CHUNK_MAX */
  const mho_real *x;   /**< [samples x features] */
  mho_targets targets; /**< [samples] */
  double nudge;        /**< beta_f */
  bool by_current;     /**< of a network of resistors: nudged by currents */
  bool transient;      /**< also by .tran, until mho_netlist_settling_time */
  /** Also with the inputs' Norton equivalent, see MHO_NETLIST_NORTON. */
  bool both_inputs;
  /** Of activities and logits, on the largest difference; 0: 1e-6. */
  double tolerance;
  /** Least cosine of the weight change of a connection; 0: 0.999. */
  double cosine;
} mho_cosim_network_options;

/** What the core settles to, as far as its precision goes.
 *  @param free    nudged: [n_layers] of [samples x n], out: activities of hidden layers, logits of
 *                 the last.
 *  @param error   [samples x classes], out: o - t of the free phase, which nudges. */
MHO_API mho_err mho_cosim_core(const mho_cosim_network_options *o, double *const *free,
                               double *const *nudged, double *error, mho_errinfo *ei);

/** Settle samples in the core and in ngspice, free and nudged, and compare.
 *
 *  The core sweeps until single precision lets nothing change any more. ngspice settles the circuit
 *  of mho_netlist_network by .op, with the error of its own read-out in the nudged phase.
 *  Rows: activities and logits of the free phase, activities of the nudged one (max_abs and
 *  tolerance of the activity); .tran's activities against .op's, to 1e-9; for every trained
 *  connection the weight change of equilibrium propagation, z_free^T (z_free - z_nudged) summed
 *  over the samples, from ngspice's states and from the core's (max_rel is 1 - cosine).
 *
 *  @return MHO_OK when it ran, whether or not it passed; MHO_EINVAL for no samples; MHO_ESPICE;
 *          MHO_ENOMEM. */
MHO_API mho_err mho_cosim_network(mho_spice *s, const mho_cosim_network_options *o,
                                  mho_cosim_result result, void *user, mho_errinfo *ei);

/** What the core settles a network of resistors to, as far as its precision goes: options of
 *  mho_cosim_network, whose x is [samples x inputs], A x and -A x.
 *  @param free    nudged: [n_layers] of [samples x n], out: voltages of the nodes, outputs last.
 *  @param power   [samples] out, nullable: what the sources of the free phase supply, in units of
 *                 the network. */
MHO_API mho_err mho_cosim_resistors_core(const mho_cosim_network_options *o, double *const *free,
                                         double *const *nudged, double *power, mho_errinfo *ei);

/** Settle samples of a network of resistors in the core and in ngspice (.op of the circuit of
 *  mho_netlist_resistors), free and nudged, and compare. Rows: voltages of both phases, and what
 *  the nudge changes them by, relative to the largest of the layer; the power of the sources in the
 *  free phase, relative.
 *  @return MHO_OK when it ran, whether or not it passed; as mho_netlist_resistors_check;
 *          MHO_ESPICE; MHO_ENOMEM. */
MHO_API mho_err mho_cosim_resistors(mho_spice *s, const mho_cosim_network_options *o,
                                    mho_cosim_result result, void *user, mho_errinfo *ei);

/** What a network under a controller is compared in. */
typedef struct mho_cosim_control_options {
  const mho_network *net; /**< its crossbars read without noise */
  const mho_device_config *device;
  int samples;
  const mho_real *x;                 /**< [samples x features] */
  mho_netlist_controller controller; /**< reach or label: [samples x classes]; without u */
  bool potentials;                   /**< neurons learn from potentials, not from activities */
  /* What the core has come to: */
  /** [n_layers] of [samples x n]: activities of hidden layers under control, logits of the last. */
  double **controlled;
  /** [n_layers] of [samples x n]: what is learned from, the controls of the read-out negative. */
  double **error;
} mho_cosim_control_options;

/** Bring samples under control in ngspice, by .op of the circuit of mho_netlist_network, and
 *  compare with what the core has come to: activities, logits and controls, errors, and for every
 *  trained forward connection the weight change z^T error under control, summed over the samples.
 *  Of each the largest difference counts, of activities as it is, and is to be 1e-6 (1e-5 in single
 *  precision), else over the largest number, 1e-6 (1e-3).
 *  @return MHO_OK when it ran, whether or not it passed; as mho_netlist_control_check; MHO_ESPICE;
 *          MHO_ENOMEM. */
MHO_API mho_err mho_cosim_control(mho_spice *s, const mho_cosim_control_options *o,
                                  mho_cosim_result result, void *user, mho_errinfo *ei);

#endif
