#!/usr/bin/env bash
# The screens of ten ordinary mistakes: what the first line says, as a whole, and the status. Each ends before any work.
. "$(dirname "$0")/lib.sh"
make_data
make_configs
cd "$WORK" || exit 1

# screen STATUS ARGUMENTS...: of srq; what it must print is on standard input. What comes after "; usage: " is left out.
screen() {
  local status=$1 found expected
  shift
  expected=$(cat)
  found=$("$SRQ" "$@" 2>&1)
  [ $? = "$status" ] || fail "not status $status: srq $*: $found"
  [ "$(sed 's/; usage: .*//' <<< "$found")" = "$expected" ] || fail "srq $*"$'\n'"$(diff <(echo "$expected") <(echo "$found"))"
}

# 1. A command with two letters in the wrong order
screen 2 trian lenet-run.cfg << 'END'
srq: no command is called "trian"; did you mean train? `srq help` lists all commands
END
# 2. An option that is nearly one, or that other programs have
screen 2 train lenet-run.cfg --ouf r << 'END'
srq: train: no option is called --ouf (did you mean --out?)
END
screen 2 train lenet-run.cfg --out r --lr 1 << 'END'
srq: train: no option is called --lr (did you mean --set optimizer.learning_rate=VALUE?)
END
screen 2 data convert f d.h5 << 'END'
srq: data: import or info is expected, but this is convert (did you mean import?)
END
screen 2 data import f d.h5 --quite << 'END'
srq: data: no option is called --quite (did you mean --quiet?)
END
screen 2 data import f << 'END'
srq: data: no file to make is named; add DEST.h5 behind f
END
screen 2 data info a.h5 b.h5 << 'END'
srq: data: one file is expected, but a second one is given: b.h5
END
# 3. A setting in another group, or by its name elsewhere
screen 2 train lenet-run.cfg --out r --set train.lr=1 << 'END'
srq: --set train.lr=1: no setting is called train.lr; did you mean optimizer.learning_rate?
END
# 4. A value in capitals
screen 2 train lenet-run.cfg --out r --set quantizer.method=LSQ --set lr=1 << 'END'
srq: --set quantizer.method=LSQ: quantizer.method is "LSQ", but must be one of srq|lsq|ste|rq|rq_st|float32; did you mean "lsq"?
srq: --set lr=1: no setting is called lr; did you mean optimizer.learning_rate?
END
# 5. Several mistakes in one file
cat > wrong.cfg << 'END'
model = "lenet.cfg"; data = { file = "slice.h5"; };
train = { batch_size = 64; epochs = -1; };
optimizer = { method = "SGD"; weight_decay = "none"; };
quantizer = { layers = ( { name = "conv1"; bit = 8; } ); };
END
screen 2 train wrong.cfg --out r << 'END'
srq: wrong.cfg:2: no setting is called train.batch_size; did you mean train.batch?
srq: wrong.cfg:2: train.epochs is -1, but must be from 0 to 1000000000000
srq: wrong.cfg:3: optimizer.method is "SGD", but must be one of adam|adamw|sgd; did you mean "sgd"?
srq: wrong.cfg:3: optimizer.weight_decay must be a number, but is the text "none"
srq: wrong.cfg:4: an entry of quantizer.layers has no setting "bit"; did you mean "bits"?
END
# The same on several ranks: each line once, and the same status.
on_ranks 2 train wrong.cfg --out r > out 2>&1
[ $? = 2 ] && [ "$(grep -c '^srq: wrong.cfg:' out)" = 5 ] || fail "2 ranks: $(cat out)"
# The same for a model.
cat > wrong-model.cfg << 'END'
name = "net"; input = { height = 28; width = 28; chanels = 1; };
layers = ( { name = "conv1"; type = "cnov"; out = 6; kernel = 5; },
  { name = "relu1"; type = "relu"; inputs = ["conv"]; },
  { name = "fc1"; type = "dense"; outs = 10; } );
END
screen 2 train lenet-run.cfg --out r --set model=wrong-model.cfg --set train.epochs=-1 << 'END'
srq: --set train.epochs=-1: train.epochs is -1, but must be from 0 to 1000000000000
srq: wrong-model.cfg:1: input has no setting "chanels"; did you mean "channels"?
srq: wrong-model.cfg:2: no layer type is called "cnov"; did you mean "conv"? `srq help layers` lists all
srq: wrong-model.cfg:3: no layer is called "conv"; did you mean "conv1"?
srq: wrong-model.cfg:4: layers have no setting "outs"; did you mean "out"?
END
# 6. A folder of runs where a run is meant; a run without a checkpoint
mkdir -p runs/a/checkpoints && touch runs/a/config.cfg runs/a/log.jsonl
screen 3 inspect runs << 'END'
srq: runs: this folder is no run directory, but holds 1 run; name that one: runs/a, or use `srq report runs`
END
screen 3 eval runs/a << 'END'
srq: runs/a: this run has no checkpoint yet; wait for its first one, or continue the run with `srq train ... --out runs/a --resume auto`
END
# 7. A layer that is not there
screen 2 train lenet-run.cfg --out r --set quantizer.layers.conv.bits=8 << 'END'
srq: --set quantizer.layers.conv.bits=8: no conv, dense or quantize layer of the model is called "conv"; did you mean "conv1"?
END
# 8. A configuration where a table is meant
screen 2 sweep lenet-run.cfg << 'END'
srq: lenet-run.cfg: this is a configuration, not a table; to train it several times, add the values to try: `srq sweep lenet-run.cfg --set train.seed=1,2,3`
END
# 9. No --out
screen 2 train lenet-run.cfg << 'END'
srq: train: no folder for the run is named: add --out DIR
END
# 10. Help on a setting by another name
screen 2 help batch_size << 'END'
srq: help: no command or setting is called "batch_size"; did you mean train.batch? `srq help` and `srq help configuration` list them
END
screen 0 help train.batch << 'END'
  train.batch                    integer, 1 to 1048576; default 128
      Images per step, over all ranks.

In a configuration: train = { batch = 128; };
On the command line: --set train.batch=128
END
[ ! -e r ] || fail "a mistake left a folder"
finish
