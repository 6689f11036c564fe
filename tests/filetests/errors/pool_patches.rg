; test error

graph g {
  %x = input : f32[1, 2, 8, 8]
  %y = max_pool %x { kernel = [4611686018427387904, 2], stride = [1, 1], padding = [4611686018427387903, 1] }
  return %y
}

; expect error
;   error: max_pool has patches of [4611686018427387904, 2], padding [4611686018427387903, 1] is more than half of them
;    --> errors/pool_patches.rg:5:8
;     |
;   5 |   %y = max_pool %x { kernel = [4611686018427387904, 2], stride = [1, 1], padding = [4611686018427387903, 1] }
;     |        ^^^^^^^^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |                 |
;     |                 this is f32[1, 2, 8, 8]
