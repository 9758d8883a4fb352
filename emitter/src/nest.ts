import {
  type DynamicModule,
  type InjectionToken,
  Module,
  type ModuleMetadata,
  type OptionalFactoryDependency,
  type Provider,
} from '@nestjs/common';
import { Emitter, type EmitterOptions } from './emitter.js';
import { Presence, type PresenceOptions } from './presence.js';

export interface StreamgateOptions extends EmitterOptions {
  /** Where to ask who is connected; without it there is no `Presence` to inject. */
  readonly presence?: PresenceOptions;
}

export interface StreamgateAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** What the factory is given. */
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  // Nest gives the factory what `inject` names, so only the service knows the types.
  readonly useFactory: (...injected: never[]) => StreamgateOptions | Promise<StreamgateOptions>;
}

const OPTIONS = Symbol('StreamgateOptions');
const CLOSER = Symbol('StreamgateCloser');

/**
 * Gives every module of an application an `Emitter` and a `Presence` to inject by their class, and
 * closes the emitter last, when no request can emit any more: with `app.enableShutdownHooks()` also
 * on signals.
 */
export class StreamgateModule {
  static forRoot(options: StreamgateOptions): DynamicModule {
    return moduleOf({ provide: OPTIONS, useValue: options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: StreamgateAsyncOptions) {
    return moduleOf({ provide: OPTIONS, inject, useFactory } as Provider, imports);
  }
}
Module({})(StreamgateModule);

function moduleOf(options: Provider, imports: ModuleMetadata['imports'] = []): DynamicModule {
  return {
    module: StreamgateModule,
    global: true,
    imports,
    providers: [
      options,
      {
        provide: Emitter,
        inject: [OPTIONS],
        useFactory: (given: StreamgateOptions) => new Emitter(given),
      },
      {
        provide: Presence,
        inject: [OPTIONS],
        useFactory: ({ presence }: StreamgateOptions) => presence && new Presence(presence),
      },
      {
        provide: CLOSER,
        inject: [Emitter],
        useFactory: (emitter: Emitter) => ({ onApplicationShutdown: () => emitter.close() }),
      },
    ],
    exports: [Emitter, Presence],
  };
}
