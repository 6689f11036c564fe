; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// Each 2 by 2 patch becomes channels, read in place by the product.
graph merging {
  %x = input : f32[1, 4, 6, 3]
  %w = weight : f32[12, 6]
  %r = reshape %x { shape = [1, 2, 2, 3, 2, 3] }
  %t = transpose %r { order = [-5, -3, -2, -4, -1] }
  %p = reshape %t { shape = [1, 2, 3, 12] }
  %y = matmul %p, %w
  return %y
}

; expect eval
;   864 flops
;   %y : f32[1, 2, 3, 6] = 0.50220 -0.40015 -1.24512 -0.59082 -0.22632 1.06982 … norm 6.96218

; expect optimize target=x86-64-v4
;   ; %y: 5 e-nodes, 2 iterations, saturated; unchanged
;   graph merging {
;     %x = input : f32[1, 4, 6, 3]
;     %w = weight : f32[12, 6]
;     %p = view %x { map = "[1, 2, 3, 12] of 72: 36*i1 + 18*i3/3%2 + 6*i2 + 3*i3/6 + i3%3" } : f32[1, 2, 3, 12]
;     %y = matmul %p, %w : f32[1, 2, 3, 6]
;     return %y
;   }

; expect canonical
;   graph merging {
;     %x = input : f32[1, 4, 6, 3]
;     %w = weight : f32[12, 6]
;     %p = view %x { map = "[1, 2, 3, 12] of 72: 36*i1 + 18*i3/3%2 + 6*i2 + 3*i3/6 + i3%3" } : f32[1, 2, 3, 12]
;     %y = matmul %p, %w : f32[1, 2, 3, 6]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan merging {
;     %y = matmul [1, 6, 12] by [12, 6], constant %w reading %x
;   }

; expect check
;   %y within 1e-5 of the reference
