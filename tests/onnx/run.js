// Runs an ONNX model of `srq export` with ONNX Runtime, for `srq export --check` and the tests.
//
// usage: node run.js MODEL IMAGES LOGITS CxHxW
// IMAGES holds images as bytes [H][W][C], one after another. Writes the logits of
// all images to LOGITS as float32. Prints the version of the runtime and the seconds of running, "1.20.1 0.123". Status 77:
// onnxruntime-node is not installed (npm install --ignore-scripts onnxruntime-node, here or in a folder of NODE_PATH).
'use strict';
const fs = require('fs');

let ort;
try {
  ort = require('onnxruntime-node');
} catch (error) {
  console.error('onnxruntime-node is not installed: ' + error.message.split('\n')[0]);
  process.exit(77);
}

const GROUP = 50;

// [H][W][C] to [C][H][W].
function turn(pixels, at, images, [channels, height, width]) {
  const size = channels * height * width, turned = new Uint8Array(images * size);
  for (let n = 0; n < images; n++)
    for (let p = 0; p < height * width; p++)
      for (let c = 0; c < channels; c++)
        turned[n * size + c * height * width + p] = pixels[at + n * size + p * channels + c];
  return turned;
}

async function main([model, imagesFile, logitsFile, shape]) {
  const session = await ort.InferenceSession.create(model, {intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3});
  const sides = shape.split('x').map(Number), size = sides[0] * sides[1] * sides[2];
  const pixels = fs.readFileSync(imagesFile), count = pixels.length / size;
  const out = fs.openSync(logitsFile, 'w');
  let seconds = 0;
  for (let first = 0; first < count; first += GROUP) {
    const n = Math.min(GROUP, count - first);
    const tensor = new ort.Tensor('uint8', turn(pixels, first * size, n, sides), [n, ...sides]);
    const since = process.hrtime.bigint();
    const result = await session.run({image: tensor});
    seconds += Number(process.hrtime.bigint() - since) / 1e9;
    const logits = result.logits.data;
    fs.writeSync(out, Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength));
  }
  fs.closeSync(out);
  console.log(require('onnxruntime-node/package.json').version + ' ' + seconds.toFixed(3));
}

main(process.argv.slice(2)).catch(error => {
  console.error(error.message);
  process.exit(1);
});
