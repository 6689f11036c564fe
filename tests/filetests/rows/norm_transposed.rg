; test plan target=x86-64-v4
; test check

graph norm_transposed {
  %x = input : f32[1, 5, 7, 24]
  %gamma = weight : f32[24]
  %beta = weight : f32[24]
  %normed = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  %y = transpose %normed { order = [-1, -3, -2] }
  return %y
}

; expect plan target=x86-64-v4
;   plan norm_transposed {
;     %8 = row [35, 1] fused producers %3 (also stored) reading %x
;     %y = row [1, 840] reading %x, %3, %8, %gamma, %beta
;   }

; expect check
;   %y within 1e-5 of the reference
