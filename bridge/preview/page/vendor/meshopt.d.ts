export * from './entry-meshopt.js';
