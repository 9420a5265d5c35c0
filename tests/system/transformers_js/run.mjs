// `node run.mjs REQUEST.json`: a three-file model in Transformers.js, from local files alone; JSON on stdout.
//
// In:  folder, model, dtype, picture, text, branches (ids), places (of their ids, the shape of position_ids),
//      last (an id and its place).
// Out: what it was loaded as, the prompt's ids, the logits of its last token; of each branch, read after the
//      prompt's own cache; of `last`, read after the first branch; and the first ids that are generated.
import { readFile } from 'node:fs/promises';
import {
    AutoModelForImageTextToText,
    AutoModelForVision2Seq,
    AutoProcessor,
    DynamicCache,
    env,
    RawImage,
    Tensor,
} from '@huggingface/transformers';

const GENERATED = 4;
const request = JSON.parse(await readFile(process.argv[2], 'utf8'));
env.allowRemoteModels = false;
env.localModelPath = request.folder;

const int64 = (rows) => {
    const dims = [];
    for (let part = rows; Array.isArray(part); part = part[0]) dims.push(part.length);
    return new Tensor('int64', BigInt64Array.from(rows.flat(Infinity), BigInt), dims);
};
const cacheOf = (output) =>
    new DynamicCache(
        Object.fromEntries(
            Object.entries(output)
                .filter(([name]) => name.startsWith('present.'))
                .map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
        ),
    );
const logitsOf = (output) => output.logits.to('float32').tolist()[0];
const after = (cache, ids, places) =>
    model({
        input_ids: int64([ids]),
        attention_mask: int64([Array(cache.get_seq_length() + ids.length).fill(1)]),
        position_ids: int64(places),
        past_key_values: cache,
    });

const Auto = request.model === 'idefics3' ? AutoModelForVision2Seq : AutoModelForImageTextToText;
const processor = await AutoProcessor.from_pretrained(request.model);
const model = await Auto.from_pretrained(request.model, { dtype: request.dtype });
const picture = await RawImage.read(request.picture);
const content = [{ type: 'image' }, { type: 'text', text: request.text }];
const prompt = processor.apply_chat_template([{ role: 'user', content }], { add_generation_prompt: true });
const pictureFirst = processor.constructor.name === 'LlavaProcessor';
const inputs = pictureFirst ? await processor(picture, prompt) : await processor(prompt, [picture]);

const first = await model(inputs);
const cache = cacheOf(first);
const branches = [];
for (const [i, ids] of request.branches.entries()) {
    branches.push(await after(cache, ids, request.places[i]));
}
const last = await after(cacheOf(branches[0]), [request.last.id], request.last.places);
const ids = inputs.input_ids.tolist()[0].map(Number);
const whole = await model.generate({ ...inputs, max_new_tokens: GENERATED, do_sample: false });

console.log(
    JSON.stringify({
        model: model.constructor.name,
        processor: processor.constructor.name,
        ids,
        prompt: logitsOf(first).at(-1),
        branches: branches.map((output) => logitsOf(output)),
        last: logitsOf(last)[0],
        generated: whole.tolist()[0].map(Number).slice(ids.length),
    }),
);
