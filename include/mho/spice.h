/* spice.h - circuits in ngspice: netlists as text, a session over the ngspice library,
 * co-simulation.
 *
 * Netlists are written without ngspice; the session and the co-simulation need it: in a build
 * without it they return MHO_EUNSUPPORTED and say how to get it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_H
#define MHO_SPICE_H

#include "mho/base.h"
#include "mho/device.h"
#include "mho/settle.h"
#include "mho/store.h"

/* ---------------------------------------------------------------- session */

/** A circuit in the ngspice library. The library keeps one circuit and its results in static
 *  variables, so there is ONE OPEN SESSION A PROCESS at a time, used by one thread at a time. What
 *  ngspice prints goes to the session and nowhere else. A run has no time-out, and text that
 *  ngspice includes from files is not checked: a netlist of unknown origin belongs into a child
 *  process. */
typedef struct mho_spice mho_spice;

/** Open the session.
 *  @return MHO_OK; MHO_EUNSUPPORTED when this build or this machine has no ngspice library;
 *          MHO_ESPICE when another session is open, or when an earlier broken one left the library
 *          unusable. */
MHO_API mho_err mho_spice_open(mho_spice **out, mho_errinfo *ei);
/** Close it; nullable. After a broken session this unloads the library, so that the next one starts
 *  fresh. */
MHO_API void mho_spice_close(mho_spice *s);

/** Load a netlist in place of the one before, if any.
 *
 *  ngspice keeps about 100 bytes a line of every netlist it ever loaded: change values with
 *  mho_spice_alter rather than by loading again.
 *
 *  The first line is the title; ".end" is added when missing. A .control block is left out: its
 *  commands are for the program, mho_spice_run is for the library.
 *
 *  @param netlist  lines of text; not kept.
 *  @return MHO_OK; MHO_EINVAL for text that is known to crash or spoil the library (no element,
 *          unbalanced brackets, an external source with a value, ...), nothing is loaded then;
 *          MHO_ESPICE with ngspice's own words for what it refuses. Both set the line in ei where
 *          it is known. After some of its errors (an undefined parameter, say) ngspice takes no
 *          netlist any more: the message says "the session is broken", every later call fails in
 *          the same way, and close and open mend it. */
MHO_API mho_err mho_spice_load(mho_spice *s, const char *netlist, mho_errinfo *ei);

/** Run one analysis: "op", or "tran STEP STOP ..." with ngspice's arguments. Earlier results are
 *  dropped first.
 *  @return MHO_OK; MHO_EINVAL when nothing is loaded or the command is another one; MHO_ESPICE with
 *          ngspice's words when the analysis failed: there are no results then, stale ones are
 *          never read. */
MHO_API mho_err mho_spice_run(mho_spice *s, const char *command, mho_errinfo *ei);

/** Number of points of a result: 1 after "op".
 *  @param name  as ngspice names it: "v(out)", "i(vsense)", "@r1[i]"; in either case.
 *  @return as mho_spice_vector. */
MHO_API mho_err mho_spice_vector_length(mho_spice *s, const char *name, int *n, mho_errinfo *ei);
/** A result of the last run, [n], in V, A or s.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EINVAL when it has another length than n; MHO_ESPICE without
 *          a successful run since the last load or alter. */
MHO_API mho_err mho_spice_vector(mho_spice *s, const char *name, double *out, int n,
                                 mho_errinfo *ei);

/** Its last point. */
MHO_API mho_err mho_spice_last(mho_spice *s, const char *name, double *out, mho_errinfo *ei);

/** Change one value of the loaded circuit: device "r1", parameter "resistance" (ohm); a source has
 *  "dc" (V or A), a capacitor "capacitance" (F). Takes microseconds, where a load takes
 *  milliseconds. Run again before reading results.
 *  @return MHO_OK; MHO_EINVAL for a malformed name, a value that is not finite or a resistance of 0
 *          (which ngspice would silently make 1 mohm); MHO_ENOTFOUND when there is no such device
 *          or parameter. */
MHO_API mho_err mho_spice_alter(mho_spice *s, const char *device, const char *param, double value,
                                mho_errinfo *ei);

/** Value (V or A) of a source written as "V1 a 0 external"; asked for in every Newton iteration.
 *  `name` is in lower case, t in s (0 in "op"). It must not call the session. */
typedef double (*mho_spice_source)(void *user, const char *name, double t);
/** Who supplies external sources; null: nobody, and a run that has some fails. */
MHO_API void mho_spice_sources(mho_spice *s, mho_spice_source source, void *user);

/** What ngspice said since the last load or run began, one message a line (the oldest are dropped
 *  when it is long). Valid until the next call. */
MHO_API const char *mho_spice_messages(const mho_spice *s);

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
 *  One <link> is <from>_<to>, as in p_x_h1_3. Set the members by name: the rest is zero, and a
 *  default. */
typedef struct mho_netlist_network {
  const mho_network *net;
  const mho_device_config *device; /**< conductances of the ideal device */
  const double *top;               /**< [connections], nullable: see mho_netlist_siemens */
  const double *x;                 /**< [features] */
  const double *error;             /**< [classes] o - t that nudges; nullable: free phase only */
  double nudge;                    /**< beta_f */
  /** V, V, ohm, s; 0: the crossbars' read voltage, the same, MHO_NETLIST_R_MEM, MHO_NETLIST_TAU. */
  double v_read, v_unit, r_mem, tau;
  int inputs;     /**< MHO_NETLIST_FULL, MHO_NETLIST_NORTON */
  bool external;  /**< inputs and error by external sources, for a session */
  bool transient; /**< the .control block runs .tran instead of .op */
  double stop;    /**< s, of .tran (see mho_netlist_settling_time); 0: 50 tau */
  /** Add the .control block that makes `ngspice -b` run and print it. */
  bool control;
  /** [n_layers] of [n], nullable: expected activities, logits last; written as comments. */
  const double *const *free, *const *nudged;
  double tolerance;  /**< of them, of the activity's unit */
  const char *title; /**< nullable */
} mho_netlist_network;

/** Whether a network has a circuit. MHO_EUNSUPPORTED for a neuron without one or with circuits of
 *  its own (neuron.*), for connections that are not one crossbar from layer to layer (convolutions,
 *  biases), and for reads that show the devices' I-V law. */
MHO_API mho_err mho_netlist_network_check(const mho_network *net, mho_errinfo *ei);
/** The netlist as text. With control it prints "free_<layer>_<j> = V" for every neuron's V(z) and
 *  every V(u_out), and "nudged_<layer>_<j>" with an error, when run by `ngspice -b`.
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

#define MHO_PLACE_MAX 64

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

/** A result of a comparison; its texts and values are valid until the call returns. core, spice:
  * [row->n], the values compared. */
typedef void (*mho_cosim_result)(void *user, const mho_cosim_row *row, const double *core,
                                 const double *spice);

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
  /** How the core settles: a settler with a parameter `tolerance` that settles the difference
   *  itself, such as sweep, and the dynamics, whose neurons are circuits. */
  const mho_settler *settler;
  const mho_dynamics *dynamics;
  const mho_device_config *device;
  int samples;         /**< at most MHO_CHUNK_MAX */
  const mho_real *x;   /**< [samples x features] */
  mho_targets targets; /**< [samples] */
  double nudge;        /**< beta_f */
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

/* ---------------------------------------------------------------- netlists of unknown origin */

#define MHO_SPICE_CHILD                                                                            \
  "spice-child" /* the argument with which a program is to call mho_spice_child */

/** How a netlist runs in a process of its own. */
typedef struct mho_spice_isolation {
  /** Of this library: called with MHO_SPICE_CHILD and perhaps one more argument it must return what
   *  mho_spice_child does; "/proc/self/exe" where it is this program. */
  const char *program;
  double timeout_s; /**< after which it is stopped */
  /** Commands may start programs and write files, memory is not limited. */
  bool trusted;
  const mho_context *ctx; /**< nullable: whether to stop earlier */
} mho_spice_isolation;

/** Run a netlist and the commands of its .control block (up to "quit") in a process of its own,
 *  which may crash or be stopped without harm to this one. Unless it is trusted it only calculates
 *  and prints, in at most 2 GiB of memory.
 *
 *  @param out  everything that ngspice printed, as text; free it with mho_free.
 *  @return MHO_OK; errors of mho_spice_load; MHO_EINVAL for a command that only a trusted netlist
 *          may give; MHO_ESPICE when ngspice complained, crashed or was stopped;
 *          MHO_EINTERRUPTED. */
MHO_API mho_err mho_spice_isolated(const mho_spice_isolation *how, const char *netlist, char **out,
                                   mho_errinfo *ei);
/** The other end: what the child's main returns.
 *  @param fd     0.
 *  @param trust  the argument behind MHO_SPICE_CHILD; nullable. */
MHO_API int mho_spice_child(int fd, const char *trust);

/** What a value should be, and what was printed. */
typedef struct mho_netlist_values {
  double expected, margin, printed;
} mho_netlist_values;

/** Compare what a netlist printed with its comments "* expect NAME = VALUE +- MARGIN UNIT".
 *  @param place  storage of row->place: the name of the worst value.
 *  @param row    n values; max_abs of the worst; max_rel = its difference over its margin, pass up
 *                to 1.
 *  @param values nullable; of the worst value.
 *  @return MHO_OK, whether or not it passed; MHO_ESPICE with the line of a value that was not
 *          printed; MHO_EINVAL without such comments. */
MHO_API mho_err mho_netlist_compare(const char *netlist, const char *printed, mho_cosim_row *row,
                                    char place[MHO_PLACE_MAX], mho_netlist_values *values,
                                    mho_errinfo *ei);

#endif
