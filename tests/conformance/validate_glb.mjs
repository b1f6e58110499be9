// Prints what the Khronos validator says of GLB files, one JSON line each:
// node validate_glb.mjs PACKAGE_FOLDER FILE.glb ...
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const [folder, ...files] = process.argv.slice(2);
const { validateBytes } = createRequire(import.meta.url)(folder);
for (const file of files) {
  const report = await validateBytes(new Uint8Array(await readFile(file)));
  console.log(JSON.stringify(report));
}
