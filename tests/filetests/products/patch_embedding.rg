; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4
; test check

// A convolution whose stride is its size is a product of a view.
graph patch_embedding {
  %image = input : f32[1, 3, 8, 8]
  %weight = weight : f32[6, 3, 4, 4]
  %bias = weight : f32[6]
  %r = reshape %image { shape = [1, 3, 2, 4, 2, 4] }
  %t = transpose %r { order = [-4, -2, -5, -3, -1] }
  %p = reshape %t { shape = [1, 2, 2, 48] }
  %m = reshape %weight { shape = [6, 48] }
  %n = transpose %m { order = [-1, -2] }
  %s = matmul %p, %n
  %y = add %s, %bias
  return %y
}

; expect eval
;   2328 flops
;   %y : f32[1, 2, 2, 6] = 3.90698 0.77026 2.33325 4.05518 -1.51514 -1.01465 … norm 10.06152

; expect optimize target=x86-64-v4
;   ; %y: 11 e-nodes, 2 iterations, saturated; unchanged
;   graph patch_embedding {
;     %image = input : f32[1, 3, 8, 8]
;     %weight = weight : f32[6, 3, 4, 4]
;     %bias = weight : f32[6]
;     %p = view %image { map = "[1, 2, 2, 48] of 192: 64*i3/16 + 32*i1 + 8*i3/4%4 + 4*i2 + i3%4" } : f32[1, 2, 2, 48]
;     %4 = view %weight { map = "[48, 6] of 288: 48*i1 + i0" } : f32[48, 6]
;     %s = matmul %p, %4 : f32[1, 2, 2, 6]
;     %6 = view %bias { map = "[1, 2, 2, 6] of 6: i3" } : f32[1, 2, 2, 6]
;     %y = add %s, %6 : f32[1, 2, 2, 6]
;     return %y
;   }

; expect canonical
;   graph patch_embedding {
;     %image = input : f32[1, 3, 8, 8]
;     %weight = weight : f32[6, 3, 4, 4]
;     %bias = weight : f32[6]
;     %p = view %image { map = "[1, 2, 2, 48] of 192: 64*i3/16 + 32*i1 + 8*i3/4%4 + 4*i2 + i3%4" } : f32[1, 2, 2, 48]
;     %n = view %weight { map = "[48, 6] of 288: 48*i1 + i0" } : f32[48, 6]
;     %s = matmul %p, %n : f32[1, 2, 2, 6]
;     %6 = view %bias { map = "[1, 2, 2, 6] of 6: i3" } : f32[1, 2, 2, 6]
;     %y = add %s, %6 : f32[1, 2, 2, 6]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan patch_embedding {
;     %y = matmul [1, 4, 48] by [48, 6], constant %4 reading %image, %bias
;   }

; expect check
;   %y within 1e-5 of the reference
