import { genericPoolEngine } from '../../src/core/generic-pool.ts';
import { engineContract } from './contract.ts';

engineContract('generic-pool', genericPoolEngine);
