// Runs an ONNX model of `srq export` with ONNX Runtime, for `srq export --check` and the tests.
//
// usage: node run.js MODEL CxHxW [time] < IMAGES > OUTPUT
// IMAGES are bytes [H][W][C], one image after another. OUTPUT is the letter R when the model is loaded, and then the logits of
// each image as float32. With "time", the version of the runtime and the seconds in it are printed at the end: "1.20.1 0.123".
// Status 77: onnxruntime-node is not installed. `npm install --ignore-scripts onnxruntime-node` installs it in the current
// folder, and NODE_PATH can name the node_modules of another one.
'use strict';
const path = require('path');

let ort, version;
for (const folder of [process.cwd(), __dirname])
  try {
    const options = {paths: [folder]};
    ort = ort || require(require.resolve('onnxruntime-node', options));
    version = version || require(require.resolve('onnxruntime-node/package.json', options)).version;
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
  }
if (!ort) process.exit(77);

const GROUP = 50;

// [H][W][C] to [C][H][W].
function turn(pixels, images, [channels, height, width]) {
  const size = channels * height * width, turned = new Uint8Array(images * size);
  for (let n = 0; n < images; n++)
    for (let p = 0; p < height * width; p++)
      for (let c = 0; c < channels; c++)
        turned[n * size + c * height * width + p] = pixels[n * size + p * channels + c];
  return turned;
}

async function main([model, shape, time]) {
  const options = {intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3};
  const session = await ort.InferenceSession.create(path.resolve(model), options);
  const sides = shape.split('x').map(Number), size = sides[0] * sides[1] * sides[2];
  let pending = Buffer.alloc(0), seconds = 0;
  process.stdout.write('R');
  for await (const chunk of process.stdin) {
    pending = pending.length ? Buffer.concat([pending, chunk]) : chunk;
    while (pending.length >= size) {
      const n = Math.min(GROUP, Math.floor(pending.length / size));
      const tensor = new ort.Tensor('uint8', turn(pending, n, sides), [n, ...sides]);
      const since = process.hrtime.bigint();
      const {logits} = await session.run({image: tensor});
      seconds += Number(process.hrtime.bigint() - since) / 1e9;
      process.stdout.write(Buffer.from(Uint8Array.from(new Uint8Array(logits.data.buffer, logits.data.byteOffset, 4 * logits.data.length))));
      pending = pending.subarray(n * size);
    }
  }
  if (time) console.error(version + ' ' + seconds.toFixed(3));
}

main(process.argv.slice(2)).catch(error => {
  console.error(error.message);
  process.exit(1);
});
