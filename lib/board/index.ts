/** @module nestjs-iteration/board */
export { IterationBoardModule } from './board.module.js';
export type { BoardOptions } from './board.options.js';
