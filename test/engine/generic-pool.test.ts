import { genericPoolEngine } from '../../src/engine/generic-pool.ts';
import { engineContract } from './contract.ts';

engineContract('generic-pool', genericPoolEngine);
