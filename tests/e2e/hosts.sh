#!/usr/bin/env bash
# Four hosts with a network of 1 Gbit/s between them (tests/lab): the same bits as on one, the bytes on the links
# compared with theory, and a link that is cut during a run.
if [ -z "${IN_LAB:-}" ]; then
  [ "${SANITIZED:-OFF}" = ON ] && { echo "skipped: the release build runs this"; exit 77; }
  IN_LAB=1 exec timeout -k 5 200 "$SOURCE/tests/lab/alone.sh" bash "$0"
fi
. "$(dirname "$0")/lib.sh"
hosts=4
"$SOURCE/tests/lab/hosts-up.sh" $hosts tbf rate 1gbit burst 64kb latency 50ms || { fail "the hosts do not come up"; finish; }
make_data
cat > "$WORK/run.cfg" << EOF
model = "$SOURCE/experiments/models/lenet5.cfg"; data = { file = "slice.h5"; };
train = { batch = 32; shards = 8; checkpoint_every = "0it"; eval_every = "0it"; log_every = "0it"; };
EOF

# srq with RANKS (1) on each of the first USED hosts; mpirun runs on the first.
across() {
  local list
  list=$(seq -s, -f "10.77.0.%g:${RANKS:-1}" "${USED:-$hosts}")
  timeout 100 "$SOURCE/tests/lab/hosts-agent.sh" h1 "cd '$WORK' && mpirun --quiet --oversubscribe \
    --mca plm_rsh_agent '$SOURCE/tests/lab/hosts-agent.sh' --mca pml ob1 --mca btl tcp,self --mca mpi_yield_when_idle 1 \
    --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 -H $list -n $((${RANKS:-1} * ${USED:-hosts})) '$SRQ' $*"
}

sent() { # bytes that each host has sent so far
  local i
  for i in $(seq $hosts); do ip -n "h$i" -s link show eth0 | awk '/TX:/ { getline; print $1 }'; done
}

# Two lengths: what the links carry at the start and at the end is in both.
for steps in 5 25; do
  sent > "$WORK/before"
  across "train run.cfg --out run-$steps --set train.max_steps=$steps" > "$WORK/log" 2>&1 || fail "$steps steps: $(tail -3 "$WORK/log")"
  sent | paste "$WORK/before" - | awk '{ print $2 - $1 }' > "$WORK/bytes-$steps"
done
on_ranks 1 train "$WORK/run.cfg" --out "$WORK/alone" --set train.max_steps=25 > "$WORK/log" 2>&1 || fail "alone: $(tail -3 "$WORK/log")"
expect 0 "equal: " "$SRQ" diff "$WORK/alone" "$WORK/run-25"

# 2 (P - 1) / P times the gradient, of weights, biases, alpha and sigma, from each rank in a step. On top come the
# headers of TCP/IP and Ethernet, 66 bytes to at most 1,448 of data, as many for acknowledging those of others, and the
# few values of every shard.
gradient=$(h5dump -A "$WORK/run-25/last.h5" | awk '
  /GROUP "m"/ { inside = 1 } /GROUP "v"/ { inside = 0 }
  inside && /DATASPACE *SCALAR/ { n += 1 }
  inside && /DATASPACE *SIMPLE/ { size = 1; sub(/\/.*/, ""); gsub(/[^0-9,]/, ""); count = split($0, d, ","); for (i = 1; i <= count; i++) size *= d[i]; n += size }
  END { print 4 * n }')
paste "$WORK/bytes-5" "$WORK/bytes-25" | awk -v gradient="$gradient" -v hosts=$hosts '
  BEGIN { theory = 2 * (hosts - 1) / hosts * gradient; printf "gradient %d bytes; in theory each of %d hosts sends %d bytes a step\n", gradient, hosts, theory }
  { step = ($2 - $1) / 20; printf "h%d sends %d, %.3f of theory\n", NR, step, step / theory
    if (!(step > 0.98 * theory && step < (1 + 2 * 66 / 1448) * theory + 16384)) wrong = 1 }
  END { exit wrong || NR != hosts }' || fail "the bytes on the links are not those of theory"

# --- Four ranks on each of two hosts: they send what one rank would, once the gradient, and 7 % for headers and messages.
for steps in 2 12; do
  sent > "$WORK/before"
  RANKS=4 USED=2 across "train run.cfg --out four-$steps --set train.max_steps=$steps --threads 1" > "$WORK/log" 2>&1 || fail "4 ranks, $steps steps: $(tail -3 "$WORK/log")"
  sent | paste "$WORK/before" - | head -n 2 | awk '{ print $2 - $1 }' > "$WORK/bytes-$steps"
done
grep -q '"ranks": 8, "nodes": 2, "shared": true' "$WORK/four-12/log.jsonl" || fail "not two nodes: $(head -c 300 "$WORK/four-12/log.jsonl")"
on_ranks 1 train "$WORK/run.cfg" --out "$WORK/alone-12" --set train.max_steps=12 > "$WORK/log" 2>&1 || fail "alone: $(tail -3 "$WORK/log")"
expect 0 "equal: " "$SRQ" diff "$WORK/alone-12" "$WORK/four-12"
paste "$WORK/bytes-2" "$WORK/bytes-12" | awk -v gradient="$gradient" '
  { step = ($2 - $1) / 10; printf "h%d, 4 ranks, sends %d, %.3f of the gradient\n", NR, step, step / gradient
    if (!(step > 0.98 * gradient && step <= 1.07 * gradient)) wrong = 1 }
  END { exit wrong || NR != 2 }' || fail "a host with 4 ranks sends more than the gradient"

# --- Ranks that do not see each other's processes cannot share memory: it is said, and the bits are the same.
# shellcheck disable=SC2086
SRQ_SHARE=always OMPI_MCA_btl=tcp,self timeout 60 mpirun --quiet --oversubscribe -n 2 unshare --pid --fork --mount-proc "$SRQ" train "$WORK/run.cfg" \
  --out "$WORK/apart" --set train.max_steps=12 --threads 1 > "$WORK/log" 2>&1 || fail "apart: $(tail -3 "$WORK/log")"
grep -q "the ranks of one node cannot share memory (rank 0: .*), so each has memory of its own" "$WORK/log" || fail "not said: $(cat "$WORK/log")"
grep -q '"ranks": 2, "nodes": 1, "shared": false' "$WORK/apart/log.jsonl" || fail "apart: $(head -c 300 "$WORK/apart/log.jsonl")"
expect 0 "equal: " "$SRQ" diff "$WORK/alone-12" "$WORK/apart"

# --- A link is cut: the ranks behind it are named, the job ends, and it resumes from its checkpoint. mpirun ends it when
# its keepalives are not answered, with a status of its own, 205; these are shorter here than slurm/train.sbatch has them.
export OMPI_MCA_oob_tcp_keepalive_time=5 OMPI_MCA_oob_tcp_keepalive_intvl=1 OMPI_MCA_oob_tcp_keepalive_probes=3
long="train run.cfg --out cut --resume auto --set train.max_steps=60 --set train.checkpoint_every=5it --set train.stall_warn=2 --set train.stall_end=30"
across "$long" > "$WORK/log" 2>&1 &
pid=$!
for _ in $(seq 300); do [ -e "$WORK/cut/last.h5" ] && break; sleep 0.1; done
ip link set v3 down
SECONDS=0
wait $pid
status=$?
echo "the link of h3 is cut: status $status after $SECONDS s"
[ $SECONDS -le 45 ] || fail "the job ends only after $SECONDS s"
case $status in 4 | 205) ;; *) fail "status $status: $(cat "$WORK/log")" ;; esac
grep -q "ranks that have not arrived: 2 (host h3)" "$WORK/log" || fail "the rank is not named: $(cat "$WORK/log")"
ip link set v3 up
cd "$WORK" || exit 1
# shellcheck disable=SC2086
on_ranks 1 ${long/ cut / uncut } > "$WORK/log" 2>&1 || fail "uncut: $(tail -3 "$WORK/log")"
across "$long" > "$WORK/log" 2>&1 || fail "resumed: $(tail -3 "$WORK/log")"
grep -q "resuming from step" "$WORK/log" || fail "it does not resume: $(head -5 "$WORK/log")"
expect 0 "equal: " "$SRQ" diff "$WORK/uncut" "$WORK/cut"
finish
